"""From the log of a failed installation step to one plain sentence and what to do about it."""

import re

NETWORK = (
    'The package registry cannot be reached.',
    'Check the network, proxy and pip settings (pip config list; PIP_INDEX_URL, HTTPS_PROXY), '
    'then run the same command again.',
)

# Searched in this order: the first pattern that the log holds explains the failure. A full disk and
# a killed compiler come first, because other messages follow from them.
CAUSES = (
    (
        r'(?m)^fault: (.+)$',
        'The environment is built, but does not work: {0}',
        'Build it anew: make clean-environment setup. If it stays, a pin or a driver is at fault.',
    ),
    (
        r'No space left on device|Disk quota exceeded',
        'The disk is full.',
        'Free some space, or name larger folders: TMPDIR for temporary files, PIP_CACHE_DIR for '
        'downloads, VENV for the environment.',
    ),
    (
        r'Killed signal terminated program|cc1plus: out of memory|virtual memory exhausted',
        'The compiler ran out of memory.',
        'Run it again with fewer compilers at once: make setup MAX_JOBS=1',
    ),
    (
        r'CERTIFICATE_VERIFY_FAILED|SSLError',
        'The package registry was refused: its certificate is not trusted by this machine.',
        'Behind an intercepting proxy, give its certificate to pip: PIP_CERT=/path/to/bundle.crt',
    ),
    (
        r'Failed to establish a new connection|NewConnectionError|NameResolutionError|'
        r'Temporary failure in name resolution|Connection refused|ConnectTimeoutError|'
        r'ReadTimeoutError|ProxyError|Network is unreachable|Connection reset by peer|'
        r'Connection aborted',
        *NETWORK,
    ),
    (
        r'40[137] (?:Client Error|Proxy Authentication)|HTTP error 40[137]',
        'The package registry refused the request.',
        'Check its address and your credentials (pip config list; PIP_INDEX_URL).',
    ),
    (
        r'THESE PACKAGES DO NOT MATCH THE HASHES|BadZipFile|IncompleteRead',
        'A download is broken.',
        'Run the same command again; if it stays so: pip cache purge',
    ),
    (
        r'CUDA_HOME environment variable is not set|nvcc: (?:command )?not found',
        'torch sees a CUDA device, but there is no CUDA compiler (nvcc) to build mmcv for it.',
        "Install the CUDA toolkit of torch's CUDA version and set CUDA_HOME, or build for the CPU "
        'alone: CUDA_VISIBLE_DEVICES= make setup',
    ),
    (
        r'The detected CUDA version \([^)]*\) mismatches',
        'The CUDA compiler (nvcc) is of another version than torch was built with.',
        'Point CUDA_HOME to the matching toolkit, or choose the matching torch: '
        "make setup TORCH='torch==2.13.0+cu130'",
    ),
    (
        r'Python\.h: No such file',
        "Python's C headers are missing.",
        'On Debian and Ubuntu: sudo apt install python3-dev',
    ),
    (
        r'No matching distribution found for (\S+)|ERROR: Cannot install (.+?) because',
        'The package registry has no version of {0} that fits this Python and this machine.',
        'Check that it is reachable (pip config list), PYTHON= (3.11 is tested) and TORCH=.',
    ),
    (
        r'Permission denied|Read-only file system',
        'A file or folder cannot be written.',
        'Run it as the owner of this folder, and look at the last lines above for the path.',
    ),
    (
        r'([\w.+-]+:\d+:\d+: (?:fatal )?error: .+)|ninja: build stopped',
        "Compiling mmcv's operators failed: {0}",
        'Try another compiler: CXX=/path/to/g++ (g++ 12 works).',
    ),
)


def explain(log: str) -> tuple[str, str]:
    """Why an installation step failed and what to do, from the text it printed."""
    for pattern, why, advice in CAUSES:
        found = re.search(pattern, log)
        if found:
            named = next((group for group in found.groups() if group), 'see the log')
            return why.format(named), advice
    return 'It ended with an error.', 'The log tells more; run the same command again afterwards.'
