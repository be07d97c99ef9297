"""The networks: the configurable MLP, the user's own, and how either is built for one seed."""

from bnbench.models.build import build_network as build_network
from bnbench.models.build import check_model as check_model
from bnbench.models.build import decaying_parameters as decaying_parameters
from bnbench.models.build import model_version as model_version
from bnbench.models.initialisation import INITIALISATIONS as INITIALISATIONS
from bnbench.models.layers import StackableAlphaDropout as StackableAlphaDropout
from bnbench.models.layers import StackableDropout as StackableDropout
from bnbench.models.mlp import ACTIVATIONS as ACTIVATIONS
from bnbench.models.mlp import MLP as MLP
from bnbench.models.mlp import NORM_PLACEMENTS as NORM_PLACEMENTS
