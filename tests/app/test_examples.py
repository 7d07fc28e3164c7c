"""The finished result that the first screen shows is what the engine gives today."""

import numpy as np
import pytest

from attattr_core import attribute, load_checkpoint
from attattr_core.ui.examples import EXAMPLES, FIRST, load_example


def test_the_shipped_result_is_reproduced():
    model, *texts = EXAMPLES[FIRST]
    shipped, fresh = load_example(FIRST), attribute(load_checkpoint(model), *texts)
    assert (shipped.tokens, shipped.labels, shipped.revision) == (fresh.tokens, fresh.labels, fresh.revision)
    np.testing.assert_allclose(shipped.attribution, fresh.attribution, atol=1e-5)
    assert shipped.converged.all()


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_is_complete(name):
    model, *texts = EXAMPLES[name]
    assert attribute(load_checkpoint(model), *texts).converged.all()
