//! Terminals, logs and streams: colours, widths, a reader that is gone.
