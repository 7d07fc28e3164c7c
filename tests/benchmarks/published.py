"""One short sentence as the authors published it, against the engine: ``python -m tests.benchmarks.published``.

Their script pads every text to 128 tokens and runs 64 left nodes for each layer. A sentence of 21 tokens on BERT-base
size (random weights), float32, all of torch's threads; the contestants take turns, six layers at a time, and the
median over rounds is printed. "Full" runs the whole model for every node, as the procedure reads; their
code lets the layers below run on one row. A miss is |convergence delta| as a share of |F(A) − F(A′)|.
"""

import argparse
import statistics

from torch.nn.functional import pad

from attattr_core.settings import Settings
from tests.benchmarks.contestants import Authors, Ours
from tests.benchmarks.engine import AUTHORS_NODES, describe_machine, find_misses, run_round
from tests.benchmarks.models import prepare

N_TOKENS, N_PADDED = 21, 128


def main() -> None:
    """Prints a Markdown table."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.published", description=__doc__.split("\n")[0])
    parser.add_argument("--size", default="base", choices=("base", "steep", "embedded"), help="default: %(default)s")
    parser.add_argument("--rounds", type=int, default=1, metavar="N", help="default: %(default)s")
    parser.add_argument("--quick", action="store_true", help="the embedded checkpoint, to see that everything runs")
    options = parser.parse_args()
    size = "embedded" if options.quick else options.size
    model, inputs, words = prepare(size, N_TOKENS)
    padded = {name: pad(tensor, (0, N_PADDED - N_TOKENS)) for name, tensor in inputs.items()}
    ours = Ours(model, inputs, Settings())
    contestants = {
        "ours": ours,
        "authors": Authors(model, padded, AUTHORS_NODES, plain=True),
        "authors, full": Authors(model, padded, AUTHORS_NODES, plain=True, full=True),
    }
    layers = range(model.config.num_hidden_layers)
    print(describe_machine(), flush=True)
    run_round({"ours": ours}, layers)  # warms up
    rounds = [run_round(contestants, layers) for _ in range(options.rounds)]
    seconds = statistics.median(turn.seconds["ours"] for turn in rounds)
    print(f"{words}, {N_TOKENS} tokens, all layers: ours {seconds:.2f} s")
    print("| | Time, in ours | Miss, median / largest |\n|---|---:|---:|")
    for name in contestants:
        ratio = statistics.median(turn.seconds[name] / turn.seconds["ours"] for turn in rounds)
        median, largest = find_misses(ours, rounds[-1].totals[name])
        print(f"| {name} | {ratio:.1f} × | {median:.2%} / {largest:.2%} |")


if __name__ == "__main__":
    main()
