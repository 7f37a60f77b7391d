package account

import "context"

// Actor is who asks for one act of the desk. It travels in the context, so that
// whatever makes the act durable can ask once more.
type Actor struct {
	Principal

	Act Act
}

type actorKey struct{}

// In puts the actor into a context.
func (a Actor) In(ctx context.Context) context.Context { return context.WithValue(ctx, actorKey{}, a) }

// ActorOf is who asks, false if they came with neither a session nor a scoped
// token.
func ActorOf(ctx context.Context) (Actor, bool) {
	a, ok := ctx.Value(actorKey{}).(Actor)
	return a, ok
}
