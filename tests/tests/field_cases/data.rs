//! Data sets: sorted rows, classes that are missing, names and forms of files.
