//! Reports, replays and exports: what is best, what diverged, numbers as they are printed.
