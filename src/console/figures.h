/* Figures in few characters, for columns. */
#ifndef CONSOLE_FIGURES_H
#define CONSOLE_FIGURES_H

#include "base/util.h"

#define FIGURE_CAP 24

void age_format(int64_t ms, char out[FIGURE_CAP]);	/* "3s", "5m12s", "2h07m", "4d03h" */
void bytes_format(int64_t bytes, char out[FIGURE_CAP]);	/* "512", "9.8K", "12M", "1.2G" */
void percent_format(double percent, char out[FIGURE_CAP]);	/* "0.0", "12.5", "340" */

#endif
