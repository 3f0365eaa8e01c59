from .checks import ContractError as ContractError
from .checks import check_explainer as check_explainer
from .checks import check_metric as check_metric
from .dataset import check_dataset as check_dataset
from .performer import check_performer as check_performer
from .trial import check_plugin as check_plugin
