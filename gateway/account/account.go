// Package account holds people, their territory and their tokens. It must
// never import web.
package account

import (
	"context"
	"time"

	"loa/gateway/area"
	"loa/gateway/audit"
)

// Person is somebody with a token.
type Person struct {
	ID        string
	Name      string
	Territory area.Code // province or commune code, or "VN"
	TokenHash [32]byte
	CreatedAt time.Time
	RevokedAt time.Time
}

// Store is what account needs of the ledger; each method is one transaction.
type Store interface {
	AddPerson(ctx context.Context, p Person, rec audit.Record) error
	PersonByToken(ctx context.Context, hash [32]byte) (Person, error)
	People(ctx context.Context) ([]Person, error)
	RevokePerson(ctx context.Context, id string, at time.Time, rec audit.Record) error
}
