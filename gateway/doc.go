// Package gateway is the wiring and the life of the process: New opens every
// room, Run keeps them going, and stopping is ordered and bounded. It is handed
// its drivers and must never name one.
package gateway
