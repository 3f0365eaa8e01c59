import pluggy

from .activations import Activations as Activations
from .attribution.excitation_bp import ExcitationBP as ExcitationBP
from .attribution.excitation_bp import contrastive_maps as contrastive_maps
from .attribution.grad_cam import channel_contributions as channel_contributions
from .attribution.grad_cam import grad_cam as grad_cam
from .cache import cache_folder as cache_folder
from .errors import InputError as InputError
from .hookspecs import Register as Register
from .nn.part_layer import PartLayer as PartLayer
from .nn.part_layer import PartSettings as PartSettings
from .nn.receptive_field import ReceptiveField as ReceptiveField
from .nn.receptive_field import receptive_field as receptive_field
from .nn.torchvision_ops import torchvision as torchvision
from .performer import Performer as Performer
from .plugin import Dataset as Dataset
from .plugin import Explainer as Explainer
from .plugin import ImageSet as ImageSet
from .plugin import Metric as Metric
from .plugin import PerformerPlugin as PerformerPlugin
from .task import Task as Task
from .types import Batch as Batch
from .types import Explanation as Explanation
from .types import NotApplicable as NotApplicable
from .types import PerformerOutputs as PerformerOutputs
from .types import Scores as Scores
from .types import Split as Split
from .weight_cache import identity_of as identity_of
from .weight_cache import kept_seconds as kept_seconds
from .weight_cache import kept_weights as kept_weights
from .weight_cache import write_weights as write_weights

__version__: str
hookimpl: pluggy.HookimplMarker
