"""Makes a run with one change of each kind out of a run of suite mini: what a comment and a page look like when something got worse.

    python3 altered_run.py RUN OUTPUT

A larger artifact, a larger error, a higher peak, a model that answers otherwise, a failed case, a missing one, and a gain.
"""

import json
import sys


def of_case(lines, kernel, fixture, record):
    return next(line for line in lines if line.get("record") == record and line["case"] == {"kernel": kernel, "fixture": fixture})


def main():
    source, output = sys.argv[1:]
    with open(source, encoding="utf-8") as file:
        header, *lines = map(json.loads, file)
    of_case(lines, "q4_k", "gpt-moby", "measured")["measured"]["checked"]["artifact-bytes"] *= 1.03
    for tensor in of_case(lines, "int4", "mlp-mnist", "measured")["measured"]["checked"]["tensors"]:
        tensor["noise"] *= 1.2
    of_case(lines, "nf4", "lstm-moby", "measured")["measured"]["decoded"]["peak-heap-bytes"] *= 2
    for score in of_case(lines, "bitnet|entropy", "gpt-moby", "evaluated")["scores"]:
        if score["metric"] in ("kl_divergence", "kl_divergence_p99"):
            score["value"] *= 1.15
        if score["metric"] == "accuracy_loss_percent":
            score["value"] += 1.5
    gain = of_case(lines, "int8", "cnn-mnist", "measured")["measured"]["checked"]
    gain["artifact-bytes"] = gain["artifact-bytes"] * 19 // 20
    failed = {"kernel": "hqq", "fixture": "g2p-en"}
    missing = {"kernel": "fp4", "fixture": "silero-vad"}
    lines = [line for line in lines if line.get("case") not in (failed, missing)]
    header["cases"].remove(missing)
    lines.append({"record": "failed", "case": failed, "stage": "check", "message": "tensor 'enc.weight': element 3 is 0.75, which is above the bound 0.5"})
    for line in lines:
        checked = line.get("measured", {}).get("checked")
        if checked:
            checked["artifact-bytes"] = int(checked["artifact-bytes"])
    with open(output, "w", encoding="utf-8") as file:
        file.writelines(json.dumps(line) + "\n" for line in [header, *lines])


if __name__ == "__main__":
    main()
