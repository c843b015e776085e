"""Makes a run file of many cases out of a small one: every fixture again and again, under other names.

    python3 large_run.py RUN OUTPUT COPIES
"""

import json
import sys


def main():
    source, output, copies = sys.argv[1], sys.argv[2], int(sys.argv[3])
    with open(source, encoding="utf-8") as file:
        header, *lines = map(json.loads, file)
    rename = lambda case, copy: {**case, "fixture": f"{case['fixture']}-{copy}"}
    header["cases"] = [rename(case, copy) for copy in range(copies) for case in header["cases"]]
    with open(output, "w", encoding="utf-8") as file:
        file.write(json.dumps(header) + "\n")
        for copy in range(copies):
            for line in lines:
                if "case" in line:
                    file.write(json.dumps({**line, "case": rename(line["case"], copy)}) + "\n")
        for line in lines:
            if "case" not in line:
                file.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
