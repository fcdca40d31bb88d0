/* Stub: see stubs/README.md. */
#pragma once
#define CONFIG_BPF_SYSCALL 1
