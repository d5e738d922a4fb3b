from .errors import CellpkError as CellpkError
from .errors import DataError as DataError
from .errors import FitError as FitError
from .errors import ModelError as ModelError
from .errors import Problem as Problem
from .fit.individual import IndividualFits as IndividualFits
from .fit.individual import fit_individuals as fit_individuals
from .kinetics.nca import Metrics as Metrics
from .kinetics.nca import nca as nca
from .model.design import Design as Design
from .model.library import list_models as list_models
from .model.library import load_model as load_model
from .model.model import Model as Model
from .model.virtual import Simulated as Simulated
from .outcomes.cytokines import CytokineAssociation as CytokineAssociation
from .outcomes.cytokines import cytokine_association as cytokine_association
from .outcomes.exposure_response import ExposureResponse as ExposureResponse
from .outcomes.exposure_response import exposure_response as exposure_response
from .reporting import figures as figures
from .reporting import tables as tables
from .reporting.section import Report as Report
from .reporting.section import report as report
from .study.reading import read_study as read_study
from .study.study import Study as Study
from .study.writing import write_study as write_study
from .trial.simulate import simulate_study as simulate_study

__version__: str
