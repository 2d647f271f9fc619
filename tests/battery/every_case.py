# SPDX-License-Identifier: ISC
"""All cases, in the order of the table."""
from cases import CASES             # noqa: F401
import cases_faults                 # noqa: F401
import cases_content                # noqa: F401
import cases_hops                   # noqa: F401
import cases_lists                  # noqa: F401
import cases_programs               # noqa: F401
