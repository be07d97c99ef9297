"""What Hydra and OmegaConf find wrong with a command line, in one message with the nearest valid name."""

from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, MissingMandatoryValue, OmegaConfBaseException

from bnbench.errors import UserError, nearest
from bnbench.plugins import NORMS_GROUP, broken_plugin

# what brings each launcher of docs/scaling.md
EXTRAS = {"joblib": "joblib", "ray": "ray", "submitit_local": "slurm", "submitit_slurm": "slurm"}
# of Hydra's, in values that sweep
FUNCTIONS = ("choice", "range", "interval", "glob", "shuffle", "sort", "tag", "int", "float", "str", "bool")


def explain(error: BaseException) -> str | None:
    """Return the message for a mistake of the user's, or None for an error that is not known to be one."""
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, MissingConfigException) and error.missing_cfg_file and error.options is not None:
        group, _, name = error.missing_cfg_file.rpartition("/")
        if group == "norm" and (broken := broken_plugin(NORMS_GROUP, name)):
            return f"norm={name} is installed by {broken.distribution} and cannot be used: {broken.reason}"
        if group == "hydra/launcher" and name in EXTRAS:
            return f"{group}={name} needs packages that are not installed: pip install 'bnbench[{EXTRAS[name]}]'"
        return f"{group}={name} is unknown; {nearest(name, error.options)}"
    if isinstance(error, OmegaConfBaseException):
        return _explain_value(error)
    if isinstance(error, OverrideParseException):
        return _explain_override(error.override, str(error))
    if isinstance(error, HydraException):
        cause = error.__cause__
        known = _explain_value(cause) if isinstance(cause, OmegaConfBaseException) else ""
        if isinstance(cause, ConfigAttributeError | ConfigKeyError) and known:
            return known
        said = " ".join(line.strip() for line in str(error).splitlines() if line.strip())
        return ": ".join(part for part in (said, known) if part)
    return None


def _explain_override(override: str, said: str) -> str:
    """Return what is wrong with KEY=VALUE; most often the value has a character that means something to Hydra."""
    key, equals, value = override.partition("=")
    is_meant = value.startswith(("[", "{", "'", '"', *(f"{function}(" for function in FUNCTIONS)))
    if not (equals and value) or is_meant:
        return " ".join(line.strip() for line in said.splitlines() if line.strip())
    quote, outside = ("'", '"') if "'" not in value else ('"', "'")
    return (
        f"{override}: Hydra cannot read {value!r} as it stands; names with other characters than letters without "
        f"accents, digits and -_./ go into quotes within quotes: {outside}{key}={quote}{value}{quote}{outside}"
    )


def _explain_value(error: OmegaConfBaseException) -> str:
    key = error.full_key or error.key
    if isinstance(error, ConfigAttributeError | ConfigKeyError) and isinstance(error.parent_node, DictConfig):
        known = [str(name) for name in error.parent_node]
        group = str(key).rpartition(".")[0]
        # the schema of a group is closed; a group without one takes more options, as a norm of the user's own does
        add = "" if _has_schema(error.parent_node) else f"; +{key}=VALUE adds an option that is not listed"
        return f"{key} is no key{f' of {group}' if group else ''}; {nearest(str(error.key), known)}{add}"
    if isinstance(error, MissingMandatoryValue):
        return f"{key} has no value: set {key}=VALUE"
    said = (error.msg or str(error)).splitlines()[0]
    return said if key is None or str(key) in said else f"{said} ({key})"


def _has_schema(node: DictConfig) -> bool:
    return node._metadata.object_type not in (dict, None)
