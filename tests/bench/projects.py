"""Writes the projects that reading is measured on.

Usage: projects.py FOLDER. Makes FOLDER/script/flow.py, a flow script of 2,000 lines;
FOLDER/modules, a project whose flow reaches every one of 5,000 files; and FOLDER/beside, where it
reaches two of them.
"""

import os
import sys

FILES = 5000


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def script():
    lines = [
        "import os",
        "from pathlib import Path",
        "from prefect import Flow, task",
        "from prefect.storage import Docker",
        "HERE = Path(__file__).parent",
        'ENVIRONMENT = os.getenv("ENVIRONMENT", "dev")',
    ]
    for number in range(240):
        lines += [
            f'TABLE_{number} = f"{{ENVIRONMENT}}_table_{number}"',
            "",
            "@task",
            f"def load_{number}(rows, table=TABLE_{number}):",
            f'    """Loads rows into table {number}."""',
            "    kept = [row for row in rows if row]",
            f"    return len(kept) + {number}",
            "",
        ]
    lines += ['with Flow("wide") as flow:']
    lines += [f"    load_{number}([{number}])" for number in range(240 - 170)]
    lines += [
        "flow.storage = Docker(",
        '    registry_url="registry.example.org/" + ENVIRONMENT,',
        '    env_vars={f"TABLE_{number}": str(number) for number in range(20)},',
        ")",
    ]
    return "\n".join(lines + [""])


def module(number, total):
    children = [child for child in (2 * number + 1, 2 * number + 2) if child < total]
    lines = ["import json", "import logging", "import os"]
    lines += [f"from pkg{child % 50} import m{child}" for child in children]
    lines += ["", "LOG = logging.getLogger(__name__)", ""]
    for name in range(6):
        lines += [
            f"def step_{name}(value):",
            "    LOG.info('value %s', value)",
            "    if value:",
            "        return json.dumps({'value': value})",
            "    return os.path.join('a', str(value))",
            "",
            "",
        ]
    return "\n".join(lines)


def project(folder, reached):
    for number in range(50):
        write(f"{folder}/pkg{number}/__init__.py", "")
    for number in range(FILES - 50):
        write(f"{folder}/pkg{number % 50}/m{number}.py", module(number, reached))
    write(
        f"{folder}/flow.py",
        'from prefect import Flow\nfrom pkg0 import m0\n\nwith Flow("wide") as flow:\n    pass\n',
    )


def main(folder):
    write(f"{folder}/script/flow.py", script())
    project(f"{folder}/modules", FILES - 50)
    project(f"{folder}/beside", 1)


main(sys.argv[1])
