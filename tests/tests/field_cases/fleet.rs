//! Workers and coordinators on a hostile machine: full disks, dead proxies, stuck slots.
