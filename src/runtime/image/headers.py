"""Prints `python3-dev` where this Python comes without its headers.

Usage: `python3 headers.py`. Run before what compiles Python packages.

**Invariant**: prints the name of a package or nothing.
"""

import os
import sysconfig

if not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")):
    print("python3-dev")
