/* The same without frame pointers (the Makefile says so). */
#include "hot.c"
