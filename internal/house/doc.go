// Package house checks the repository itself. It holds only tests: who may
// import whom (the table in ARCHITECTURE.md), which packages stay free of
// clocks and goroutines, that every RFC section cited exists, that files stay
// short, and that nothing names a path of one machine.
//
// The checks read every Go file whatever its build tags say, so code behind a
// tag keeps to the same rules.
package house
