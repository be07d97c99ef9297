"""Keys, tokens and passwords: recognised by the name they go by or as a value of the environment, and never written."""

import os
import re
from collections.abc import Mapping
from typing import Any

from bnbench.errors import UserError

MASK = "***"
SHORTEST = 8
"""No key or token is shorter; `token=cls` of somebody's network is none."""

_NAMES = r"(?:api[_-]?key|access[_-]?key|private[_-]?key|secret|token|password|passwd|credentials?)"
_NAME = re.compile(rf"(?:^|.*[._-]){_NAMES}(?:[_-]id)?", re.IGNORECASE)
_ASSIGNED = re.compile(
    rf"""(?P<name>(?<![A-Za-z0-9])(?:[\w.+~-]*[._+~-])?{_NAMES}\s*["']?\s*[=:]\s*["']?)(?P<value>[^\s"',;]{{{SHORTEST},}})""",
    re.IGNORECASE,
)
_IN_ADDRESS = re.compile(r"(?<=://)[^\s/@:]*:[^\s/@]+(?=@)")


def looks_secret(name: str) -> bool:
    """Return whether a key, option or variable of this name holds a secret.

    >>> looks_secret("WANDB_API_KEY"), looks_secret("logger.api_key"), looks_secret("num_tokens")
    (True, True, False)
    """
    return _NAME.fullmatch(name) is not None


def masked(text: str) -> str:
    """Return text without the secrets of the environment, those assigned to a telling name, and those in addresses.

    >>> masked("python -m bnbench.train logger.api_key=0123456789abcdef norm=batch")
    'python -m bnbench.train logger.api_key=*** norm=batch'
    """
    return _masked(text, secrets_of_environment())


def _masked(text: str, secrets: Mapping[str, str]) -> str:
    for value in secrets.values():
        text = text.replace(value, MASK)
    text = _IN_ADDRESS.sub(MASK, text)
    return _ASSIGNED.sub(lambda match: f"{match['name']}{match['value'] if _is_number(match['value']) else MASK}", text)


def masked_override(override: str) -> str:
    """Return one `key=value` of a command line, its value masked to the end where the key's name tells a secret.

    >>> masked_override("+norm.password=a b c d e")
    '+norm.password=***'
    """
    key, _, value = override.partition("=")
    telling = looks_secret(key.lstrip("+~")) and len(value) >= SHORTEST and not _is_number(value)
    return f"{key}={MASK}" if telling else masked(override)


def masked_tree(value: Any) -> Any:
    """Return nested mappings and lists with every text masked."""
    return _masked_tree(value, secrets_of_environment())


def _masked_tree(value: Any, secrets: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return _masked(value, secrets)
    if isinstance(value, Mapping):
        return {key: _masked_tree(item, secrets) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_masked_tree(item, secrets) for item in value]
    return value


def refuse_secrets(config: Mapping[str, Any]) -> None:
    """Raise UserError, which does not show it, for a secret in a configuration: all of it is recorded."""
    _refuse(config, "", secrets_of_environment())


def _refuse(value: Any, where: str, secrets: Mapping[str, str]) -> None:
    if isinstance(value, Mapping):
        for key, item in value.items():
            _refuse(item, f"{where}.{key}" if where else str(key), secrets)
    elif isinstance(value, list | tuple):
        for item in value:
            _refuse(item, where, secrets)
    elif isinstance(value, str) and len(value) >= SHORTEST:
        advice = "every key is recorded and mirrored: let the code that needs it read it from the environment"
        if looks_secret(where):
            raise UserError(f"{where} looks like a secret by its name, and {advice}")
        if found := [name for name, secret in secrets.items() if secret in value]:
            raise UserError(f"{where} holds the value of the environment's {found[0]}, and {advice}")


def secrets_of_environment() -> dict[str, str]:
    """Return the variables of the environment whose names tell a secret, the longest value first."""
    found = {name: value for name, value in os.environ.items() if looks_secret(name) and len(value) >= SHORTEST}
    return dict(sorted(found.items(), key=lambda item: -len(item[1])))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
