// Package simulation holds tests alone: whole lives of a gateway in virtual
// time, over the real ledger, with one seed for everything that goes wrong. It
// is a witness of the rooms and nothing may import it.
package simulation
