"""Lmfit's results of patients, each worked out when it is asked for."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from lmfit import Minimizer
    from lmfit.minimizer import MinimizerResult


class Results(Mapping[str, "MinimizerResult"]):
    """Lmfit's results by patient, each worked out when it is first asked for.

    Parameters
    ----------
    patients : sequence of str
        Who has a fit.
    minimizer : callable
        From a patient to lmfit's minimizer at her estimate.

    Examples
    --------
    >>> import cellpk as ck, pandas as pd
    >>> samples = {"patient": "A", "time": [7, 14, 28], "level": [900, 9000, 800]}
    >>> samples = pd.DataFrame(samples).assign(assay="qpcr", lloq=50)
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> fits = ck.fit_individuals(stein, ck.Study.from_frames(samples), starts=4)
    >>> float(fits.results["A"].params["qpcr_sd"].value)
    0.56
    """

    def __init__(
        self, patients: Sequence[str], minimizer: "Callable[[str], Minimizer]"
    ) -> None:
        self._patients, self._minimizer = tuple(patients), minimizer
        self._found: dict[str, MinimizerResult] = {}

    def __getitem__(self, patient: str) -> "MinimizerResult":
        if patient not in self._patients:
            raise KeyError(patient)
        if patient not in self._found:
            self._found[patient] = self._minimizer(patient).leastsq()
        return self._found[patient]

    def __iter__(self) -> Iterator[str]:
        return iter(self._patients)

    def __len__(self) -> int:
        return len(self._patients)

    def theta(self, patient: str) -> NDArray[np.float64]:
        """Return where lmfit ended, on the transformed scale, shape (k,)."""
        parameters = vars(self[patient])["params"]
        return np.array([row.value for row in parameters.values() if row.vary])
