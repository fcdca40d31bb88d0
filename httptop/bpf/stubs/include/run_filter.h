/* Stub: see stubs/README.md. In a run with a filter its conditions stand here (bpf/filter/). */
#pragma once
