import pluggy

from .activations import Activations as Activations
from .attribution.excitation_bp import ExcitationBP as ExcitationBP
from .attribution.excitation_bp import contrastive_maps as contrastive_maps
from .attribution.grad_cam import channel_contributions as channel_contributions
from .attribution.grad_cam import grad_cam as grad_cam
from .attribution.rules import NoContrast as NoContrast
from .cache.folder import cache_folder as cache_folder
from .cache.item import CacheItem as CacheItem
from .errors import InputError as InputError
from .hookspecs import Register as Register
from .nn.filter_gradients import category_balance as category_balance
from .nn.part_layer import PartLayer as PartLayer
from .nn.part_layer import PartSettings as PartSettings
from .nn.receptive_field import ReceptiveField as ReceptiveField
from .nn.receptive_field import receptive_field as receptive_field
from .nn.torchvision_ops import torchvision as torchvision
from .opening import open_task as open_task
from .options import default_from as default_from
from .options import of_profile as of_profile
from .options import resolve_options as resolve_options
from .performer import Performer as Performer
from .performers.normalise import Normalise as Normalise
from .plugin import Control as Control
from .plugin import Dataset as Dataset
from .plugin import DatasetCard as DatasetCard
from .plugin import Explainer as Explainer
from .plugin import ImageMetric as ImageMetric
from .plugin import ImageSet as ImageSet
from .plugin import Metric as Metric
from .plugin import PerformerPlugin as PerformerPlugin
from .plugin import Progress as Progress
from .plugin import Remarked as Remarked
from .plugin import silent as silent
from .results.store import load_evidence as load_evidence
from .results.store import load_results as load_results
from .running.run import run as run
from .task import Task as Task
from .task import TrainingTask as TrainingTask
from .testing import ContractError as ContractError
from .testing import check_dataset as check_dataset
from .testing import check_explainer as check_explainer
from .testing import check_metric as check_metric
from .testing import check_performer as check_performer
from .types import Batch as Batch
from .types import Explanation as Explanation
from .types import Images as Images
from .types import NotApplicable as NotApplicable
from .types import PerformerOutputs as PerformerOutputs
from .types import Scores as Scores
from .types import Split as Split
from .weight_cache import cached_weights as cached_weights
from .weight_cache import training_identity as training_identity
from .weight_cache import training_seconds as training_seconds

__version__: str
hookimpl: pluggy.HookimplMarker
