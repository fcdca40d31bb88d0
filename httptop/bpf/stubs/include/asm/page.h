/* Stub: see stubs/README.md. */
#pragma once
#define PAGE_SIZE 4096
