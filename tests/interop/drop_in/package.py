# SPDX-License-Identifier: Apache-2.0
"""A compute package whose entry points run c_trainer.py under this interpreter."""
import os
import shutil
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def write_package(folder, examples, step):
    """The folder that `fedn package create` takes."""
    os.makedirs(folder)
    shutil.copy(os.path.join(HERE, "c_trainer.py"), os.path.join(folder, "task.py"))
    with open(os.path.join(folder, "fedn.yaml"), "w", encoding="utf-8") as file:
        file.write("entry_points:\n")
        for entry, words in (("build", f"build {examples} {step} seed.npz seed.npz"), ("startup", "startup started"),
                             ("train", f"train {examples} {step}"), ("validate", "validate"), ("predict", "predict")):
            file.write(f"  {entry}:\n    command: {sys.executable} task.py {words}\n")
    return folder
