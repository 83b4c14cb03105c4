//! Sweep files: keys that nothing uses, networks without layers, fine ranges.
