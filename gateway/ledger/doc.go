// Package ledger is the only room that speaks SQL. It fills the store seams of
// the other rooms over SQLite (one process) or PostgreSQL (several nodes) with
// one schema and the same statements. It decides nothing that is not about
// storing: what a delta does to a mark, or who may sign, is said by the rooms.
// It must never import web, queue or a driver.
package ledger
