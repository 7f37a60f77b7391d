package gateway

import (
	"loa/channels"
	"loa/gateway/delivery"
	"loa/gateway/desk"
	"loa/gateway/dispatch"
)

// Observer stands between the rooms and sees what passes; for tests that record
// what a gateway does. What it gives back must behave as what it was given.
// Functions that are nil see nothing.
type Observer struct {
	Stores      func(Stores) Stores
	Sender      func(channels.Sender) channels.Sender
	Broadcaster func(channels.Broadcaster) channels.Broadcaster
}

// Stores are the faces of the ledger that an alert passes.
type Stores struct {
	Delivery delivery.Store
	Dispatch dispatch.Store
	Desk     desk.Store
}

func (o Observer) stores(s Stores) Stores {
	if o.Stores == nil {
		return s
	}
	return o.Stores(s)
}

func (o Observer) sender(s channels.Sender) channels.Sender {
	if o.Sender == nil {
		return s
	}
	return o.Sender(s)
}

func (o Observer) broadcaster(b channels.Broadcaster) channels.Broadcaster {
	if o.Broadcaster == nil {
		return b
	}
	return o.Broadcaster(b)
}
