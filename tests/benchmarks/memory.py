"""Peak memory against the stated model: ``python -m tests.benchmarks.memory [--quick]``.

Each case is a process of its own: a random BERT-base classifier attributes texts of T tokens on the processor, and the
largest resident size is compared with what `attattr_core.engine.chunks.estimate_whole` says, less what the process held
before it built the model and less the libraries' code, of which more comes in as it is used. The C library is told to
give freed blocks back at once: else what it happens to keep of them varies by a quarter from run to run. Linux only; on
a GPU see `tests.benchmarks.gpu`.
"""

import argparse
import json
import os
import subprocess
import sys

CASES = ((128, 1, 12), (128, 8, 12), (512, 1, 12))  # tokens, examples, layers
QUICK = ((32, 1, 2),)
_ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536", "MALLOC_ARENA_MAX": "1"}


def main() -> None:
    """Prints a Markdown table, or measures one case."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.memory", description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="one small case, to see that everything runs")
    parser.add_argument("--case", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case:
        print(json.dumps(measure(*map(int, options.case.split(",")))))
        return
    print("| Tokens | Examples | Layers | Peak | Stated | Peak / stated |\n|---:|---:|---:|---:|---:|---:|")
    for case in QUICK if options.quick else CASES:
        peak, stated = run_case(*case)
        sizes = " | ".join(f"{size / 1e9:.2f} GB" for size in (peak, stated))
        print(f"| {' | '.join(map(str, case))} | {sizes} | {peak / stated:.2f} |", flush=True)


def run_case(n_tokens: int, n_examples: int, n_layers: int) -> tuple[int, int]:
    """Measures one case in a process of its own: the peak and what is stated, in bytes."""
    command = [sys.executable, "-m", "tests.benchmarks.memory", "--case", f"{n_tokens},{n_examples},{n_layers}"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, **_ALLOCATOR})
    return tuple(json.loads(done.stdout.splitlines()[-1]))


def measure(n_tokens: int, n_examples: int, n_layers: int) -> tuple[int, int]:
    """Measures this process, which has done nothing else."""
    import numpy as np
    import torch

    from attattr_core.engine.chunks import estimate_whole
    from attattr_core.engine.integration import Integrator
    from attattr_core.engine.products import find_product
    from attattr_core.engine.replay import instrumented, record
    from attattr_core.settings import Settings
    from tests.benchmarks.models import build_bert

    torch.set_num_threads(1)  # nothing here is timed, and threads would wait for each other on a busy machine
    build_bert(n_layers=1, n_heads=2, hidden=32)
    find_product()
    before = _read_sizes()["RssAnon"]
    model = build_bert(n_layers=n_layers)
    ids = torch.randint(5, 12000, (n_examples, n_tokens), generator=torch.Generator().manual_seed(0))
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    with instrumented(model):
        clean = record(model, inputs)
        integrator = Integrator(model, clean, clean.logits.argmax(-1), Settings())
        baselines = [torch.zeros_like(layer.attention[:1, :1]) for layer in clean.layers]
        attention = np.stack([layer.attention.numpy() for layer in clean.layers])
        attribution = np.zeros_like(attention)
        for layer, integral in integrator.integrate(range(n_layers), baselines):
            attribution[layer] = integral.attribution.numpy()
        stated = estimate_whole(model, n_tokens, n_examples)
    sizes = _read_sizes()
    return sizes["VmHWM"] - sizes["RssFile"] - before, stated


def _read_sizes() -> dict[str, int]:
    """What Linux says of this process, in bytes: the largest resident size, and what of it are files or its own."""
    with open("/proc/self/status", encoding="ascii") as file:
        fields = dict(line.split(":", 1) for line in file)
    return {name: int(fields[name].split()[0]) * 1024 for name in ("VmHWM", "RssFile", "RssAnon")}


if __name__ == "__main__":
    main()
