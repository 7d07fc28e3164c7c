"""What methods and metrics are called on the page and in pictures."""

from attattr_core.heads.plan import RANDOM

METHOD_NAMES = {
    "attattr": "attribution",
    "taylor": "Taylor",
    "taylor-authors": "Taylor (authors')",
    "ablation": "one head off",
    "attention": "attention",
    RANDOM: "random",
}
METRIC_NAMES = {"accuracy": "accuracy", "matthews": "Matthews correlation", "pearson": "Pearson correlation"}
