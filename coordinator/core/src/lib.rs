//! The sweep language and the orchestration state machine. Pure: no async, clock, socket, file or
//! thread; time comes in as an argument and decisions go out as values.
