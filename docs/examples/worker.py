#!/usr/bin/env python3
"""A worker in Python: serves the kernels `f32-raw` and `bf16` over protocol 1 with nothing but the standard library.

Its artifacts of the committed fixtures are the built-in kernels' to the byte. Try it from the root of the repository:

    weighbridge run --worker docs/examples/worker.py --kernel bf16 --kernel f32-raw --fixture mlp-mnist

The protocol is described in docs/worker-protocol.md.
"""

import hashlib
import json
import os
import resource
import struct
import sys
import time
import tracemalloc
from array import array

FLOATS = {"F32", "F16", "BF16"}
U32 = next(code for code in "IL" if array(code).itemsize == 4)
U16 = "H"


class Refusal(Exception):
    """Why a kernel leaves a tensor alone; it then passes through unchanged."""


# Kernels: each turns a tensor's bytes into named parts, and back.


def pack(kernel, tensor):
    """Parts of one tensor, in order."""
    name, dtype, shape, data = tensor
    if dtype not in FLOATS:
        raise Refusal(f"dtype {dtype} is not one of weights")
    if kernel == "f32-raw":
        if len(shape) < 2:
            raise Refusal(f"rank {len(shape)} is below 2")
        if not data:
            raise Refusal("no elements")
        return {"values": data}
    if len(shape) < 2 or not data:
        raise Refusal(f"shape {shape} is no matrix with elements")
    if dtype != "F32":
        raise Refusal(f"this worker rounds F32, not {dtype}")
    bits = array(U32, data)
    # The upper half, rounded to nearest, ties to even.
    rounded = array(U16, ((b + 0x7FFF + (b >> 16 & 1)) >> 16 & 0xFFFF for b in bits))
    for index, (before, after) in enumerate(zip(bits, rounded)):
        if before & 0x7F800000 == 0x7F800000 or after & 0x7F80 == 0x7F80:
            raise Refusal(f"element {index} is not finite, or rounds beyond bfloat16's largest value")
    return {"values": rounded.tobytes()}


def unpack(kernel, parts):
    """The tensor's bytes in its own dtype."""
    data = parts["values"]
    if kernel == "f32-raw":
        return data
    return array(U32, (code << 16 for code in array(U16, data))).tobytes()


# Files: an artifact is a safetensors file, and so is a model.


def read_safetensors(path):
    """Metadata, and (name, dtype, shape, bytes) of each tensor, sorted by name."""
    with open(path, "rb") as file:
        content = file.read()
    start = 8 + struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8:start])
    metadata = header.pop("__metadata__", {})
    tensors = []
    for name, info in sorted(header.items()):
        begin, end = info["data_offsets"]
        tensors.append((name, info["dtype"], info["shape"], content[start + begin : start + end]))
    return metadata, tensors


def write_safetensors(path, metadata, tensors):
    """Writes the tensors in the order given, whole or not at all."""
    header, offset = {"__metadata__": metadata} if metadata else {}, 0
    for name, dtype, shape, data in tensors:
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [offset, offset + len(data)]}
        offset += len(data)
    text = compact(header).encode()
    text += b" " * (-len(text) % 8)
    partial = f"{path}.partial"
    with open(partial, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for tensor in tensors:
            file.write(tensor[3])
    os.replace(partial, path)


def compact(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def read_artifact(path):
    """(name, dtype, shape, kernel or None, parts) of each tensor, in the artifact's order."""
    metadata, stored = read_safetensors(path)
    index = json.loads(metadata["weighbridge"])
    if index["format"] != 1:
        raise ValueError(f"artifact format {index['format']} is not known")
    data = {name: content for name, _, _, content in stored}
    for tensor in index["tensors"]:
        kernel = index["codecs"][tensor["codec"]]["kernel"] if "codec" in tensor else None
        parts = {part: data[f"{tensor['name']}/{part}"] for part in tensor["parts"]}
        yield tensor["name"], tensor["dtype"], tensor["shape"], kernel, parts


def decoded(tensor):
    name, dtype, shape, kernel, parts = tensor
    return name, dtype, shape, parts["raw"] if kernel is None else unpack(kernel, parts)


# Requests. Each function gives the reply to one; an exception becomes an `error` reply.


def checked_kernel(spec):
    if spec not in ("f32-raw", "bf16"):
        raise ValueError(f"this worker has no kernel '{spec}'")
    return spec


def pack_or_reason(kernel, tensor):
    try:
        return pack(kernel, tensor), None
    except Refusal as refusal:
        return {"raw": tensor[3]}, str(refusal)


def encode(model, kernel, artifact):
    index = {"format": 1, "spec": kernel, "codecs": [], "tensors": []}
    stored, passed_through, peak = [], [], 0
    digest = hashlib.sha256()
    for tensor in model:
        name, dtype, shape, data = tensor
        tracemalloc.start()
        parts, reason = pack_or_reason(kernel, tensor)
        peak = max(peak, tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        entry = {"name": name, "shape": shape, "dtype": dtype}
        if reason is None:
            index["codecs"] = [{"kernel": kernel, "version": 1, "config": {}}]
            entry["codec"] = 0
            digest_parts(digest, parts)
        else:
            entry["reason"] = reason
            passed_through.append({"name": name, "bytes": len(data), "reason": reason})
        index["tensors"].append(entry | {"parts": list(parts)})
        stored += [(f"{name}/{part}", "U8", [len(content)], content) for part, content in parts.items()]
    write_safetensors(artifact, {"weighbridge": compact(index)}, stored)
    return {
        "reply": "encoded",
        "parts-sha256": digest.hexdigest(),
        "passed-through": passed_through,
        "peak-heap-bytes": peak,
        "peak-rss-bytes": peak_rss_bytes(),
    }


def decode(artifact, output):
    tensors, peak, digest = [], 0, hashlib.sha256()
    for packed in read_artifact(artifact):
        tracemalloc.start()
        tensor = decoded(packed)
        peak = max(peak, tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        digest.update(tensor[3])
        tensors.append(tensor)
    write_safetensors(output, {}, tensors)
    return {
        "reply": "decoded",
        "decoded-sha256": digest.hexdigest(),
        "peak-heap-bytes": peak,
        "peak-rss-bytes": peak_rss_bytes(),
    }


def digest_parts(digest, parts):
    for content in parts.values():
        digest.update(content)


def digest_packed(kernel, model):
    """Digest of the parts of every tensor that the kernel takes, as `encode` gives it."""
    digest = hashlib.sha256()
    for tensor in model:
        parts, reason = pack_or_reason(kernel, tensor)
        if reason is None:
            digest_parts(digest, parts)
    return digest.hexdigest()


def digest_decoded(packed):
    digest = hashlib.sha256()
    for tensor in packed:
        digest.update(decoded(tensor)[3])
    return digest.hexdigest()


def timed(sampling, sha256, work):
    """Runs `work` until the budget is spent, after one pass to warm up."""
    work()
    wall, cpu = [], []
    end = time.perf_counter() + sampling["budget-ms"] / 1000
    while not wall or (time.perf_counter() < end and len(wall) < sampling["max-samples"]):
        wall_start, cpu_start = time.perf_counter_ns(), time.thread_time_ns()
        work()
        cpu.append(time.thread_time_ns() - cpu_start)
        wall.append(time.perf_counter_ns() - wall_start)
    samples = {"threads": 1, "repetitions": 1, "warmup": 1, "wall-ns": wall, "cpu-ns": cpu}
    return {"reply": "timed", "samples": samples, "sha256": sha256}


def peak_rss_bytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # Linux counts in KiB.


class Worker:
    def __init__(self):
        self.model = []

    def answer(self, request):
        op = request["op"]
        if op == "hello":
            return {"reply": "hello", "name": "python-example", "version": "1", "protocol": 1, "simd": "none"}
        if op == "load":
            self.model = read_safetensors(request["model"])[1]
            input_bytes = sum(len(tensor[3]) for tensor in self.model)
            return {"reply": "loaded", "tensors": len(self.model), "input-bytes": input_bytes}
        if op == "encode":
            return encode(self.model, checked_kernel(request["kernel"]), request["artifact"])
        if op == "time-encode":
            kernel = checked_kernel(request["kernel"])
            sha256 = digest_packed(kernel, self.model)
            return timed(request["sampling"], sha256, lambda: [pack_or_reason(kernel, tensor) for tensor in self.model])
        if op == "decode":
            return decode(request["artifact"], request["output"])
        if op == "time-decode":
            packed = list(read_artifact(request["artifact"]))
            return timed(request["sampling"], digest_decoded(packed), lambda: [decoded(tensor) for tensor in packed])
        raise ValueError(f"this worker does not do '{op}'")


def main():
    worker = Worker()
    for line in sys.stdin:
        try:
            request = json.loads(line)
            if request["op"] == "bye":
                break
            reply = worker.answer(request)
        except Exception as error:  # The worker stays, whatever a request was.
            reply = {"reply": "error", "message": f"{type(error).__name__}: {error}"}
        print(compact(reply), flush=True)


if __name__ == "__main__":
    main()
