from . import statistics as statistics
from .maps import of_parts as of_parts
from .maps import peaks as peaks
from .maps import strength as strength
from .part_overlap import PartMarks as PartMarks
