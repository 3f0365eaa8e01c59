from .checks import ContractError as ContractError
from .checks import check_explainer as check_explainer
from .checks import check_metric as check_metric
