"""LoRA adapters for classification: which are plain enough to be merged, and how."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attattr_core.checkpoints.vetting import MAX_LABELS
from attattr_core.errors import UserError

if TYPE_CHECKING:
    from transformers import PreTrainedModel

ADAPTER_CONFIG, ADAPTER_WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
_MERGED = (
    "r",
    "lora_alpha",
    "target_modules",
    "exclude_modules",
    "fan_in_fan_out",
    "bias",
    "use_rslora",
    "use_dora",
    "modules_to_save",
    "layers_to_transform",
    "layers_pattern",
    "rank_pattern",
    "alpha_pattern",
)
#: What changes nothing when a trained adapter is merged.
_WITHOUT_EFFECT = {
    "auto_mapping",
    "base_model_name_or_path",
    "inference_mode",
    "init_lora_weights",
    "lora_dropout",
    "megatron_core",
    "peft_type",
    "peft_version",
    "qalora_group_size",
    "revision",
    "task_type",
}
_NAME = re.compile(r"[\w.-]{1,200}")
_HEAD = re.compile(r"(?:.*\.)?(?:classifier|score|out_proj|out|logits_proj|classification_head)\.weight")


def vet_adapter(name: str, adapter: dict[str, Any]) -> None:
    """Refuses an adapter that is not plain LoRA for classification.

    Args:
        name: What it is called in the sentence.
        adapter: Its ``adapter_config.json``.

    Raises:
        UserError: When it is of another kind, or asks for more than being merged.
    """
    kind = (adapter.get("peft_type"), adapter.get("task_type"))
    if kind != ("LORA", "SEQ_CLS"):
        raise UserError(
            f"The adapter {name!r} is {str(kind[0])[:80]!r} for {str(kind[1])[:80]!r}: choose a LORA adapter for "
            "classification (SEQ_CLS)."
        )
    unusual = [ascii(key)[1:-1] for key, value in adapter.items() if value and key not in {*_MERGED, *_WITHOUT_EFFECT}]
    if not isinstance(adapter.get("init_lora_weights", True), bool):
        unusual.append("init_lora_weights")
    if unusual:
        raise UserError(
            f"The adapter {name!r} sets {', '.join(unusual)[:80]}, which is more than being added to its base: choose "
            "a plain LoRA adapter."
        )
    for key in ("target_modules", "exclude_modules", "layers_pattern", "modules_to_save", "rank_pattern"):
        _refuse_pattern(name, key, adapter.get(key))
    _refuse_pattern(name, "alpha_pattern", adapter.get("alpha_pattern"))


def _refuse_pattern(name: str, key: str, value: Any) -> None:
    """Module names only: peft takes a text for a regular expression, and those can be made to run for ever."""
    if value is None or value == "all-linear":
        return
    is_list = isinstance(value, list | dict) or (key == "layers_pattern" and isinstance(value, str))
    names = [value] if isinstance(value, str) else list(value) if is_list else []
    if not is_list or not all(isinstance(part, str) and _NAME.fullmatch(part) for part in names):
        raise UserError(f"The adapter {name!r} sets {key} to {str(value)[:80]!r}: list plain module names there.")


def read_base(name: str, adapter: dict[str, Any]) -> tuple[str, str | None]:
    """Reads which base an adapter stands on, and at which revision, if it says so.

    Raises:
        UserError: When it names none.
    """
    base, revision = adapter.get("base_model_name_or_path"), adapter.get("revision")
    if not isinstance(base, str) or not base.strip():
        raise UserError(f"The adapter {name!r} does not name its base: add base_model_name_or_path.")
    return base, revision if isinstance(revision, str) and revision else None


def count_classes(name: str, shapes: dict[str, tuple[int, ...]]) -> int:
    """Reads the number of classes from the shape of an adapter's head.

    Args:
        name: What the adapter is called in the sentence.
        shapes: Shapes of its weights by name.

    Raises:
        UserError: When it has no head.
    """
    heads = [key for key in shapes if _HEAD.fullmatch(key) and "lora_" not in key and not re.search(r"\.\d+\.", key)]
    if not heads:
        raise UserError(f"The adapter {name!r} has no classification head: it was saved incompletely.")
    shape = shapes[max(heads, key=len)]  # RoBERTa's classifier has two layers, the longer name is the last
    if len(shape) != 2 or not (0 < shape[0] <= MAX_LABELS and shape[1] > 0):
        raise UserError(
            f"The classification head of the adapter {name!r} has the shape {shape}: it is damaged, so "
            "fetch or save it again."
        )
    return shape[0]


def merge_adapter(
    model: "PreTrainedModel", folder: Path, *, name: str, adapter: dict[str, Any], shapes: dict[str, tuple[int, ...]]
) -> "PreTrainedModel":
    """Adds an adapter that `vet_adapter` let pass to its base and puts its head in place.

    Args:
        model: The base, with as many classes as the adapter.
        folder: Where the adapter's weights are.
        name: What the adapter is called in the sentence.
        adapter: Its ``adapter_config.json``.
        shapes: Shapes of its weights by name.

    Raises:
        UserError: When its weights are not those that its configuration announces.
    """
    from peft import LoraConfig, PeftModel, get_peft_model_state_dict

    ranks = [adapter.get("r"), *(adapter.get("rank_pattern") or {}).values()]
    largest = max((shape[0] for key, shape in shapes.items() if ".lora_A." in key), default=0)
    if not all(isinstance(rank, int) and 0 < rank <= largest for rank in ranks):
        raise UserError(
            f"The adapter {name!r} has weights of rank {largest}, not {str(ranks)[:80]}: it is damaged, so "
            "fetch or save it again."
        )
    settings = {key: adapter[key] for key in _MERGED if adapter.get(key) is not None}
    config = LoraConfig(task_type="SEQ_CLS", inference_mode=True, **settings)
    adapted = PeftModel.from_pretrained(model, folder, config=config, local_files_only=True)
    differing = set(get_peft_model_state_dict(adapted)) ^ set(shapes)
    if differing:
        raise UserError(
            f"The weights of the adapter {name!r} are not those that it announces ({sorted(differing)[0][:120]}): it "
            "is damaged, or made for another base."
        )
    return adapted.merge_and_unload()
