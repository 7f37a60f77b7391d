package webpush

import (
	"testing"

	"loa/channels/webpush/standin"
)

func BenchmarkEncrypt(b *testing.B) {
	svc, base := service(b, standin.Options{})
	sub, err := ParseSubscription(address(b, svc, base, 0).Reveal(), nil, base)
	if err != nil {
		b.Fatal(err)
	}
	text := make([]byte, 1024)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := encrypt(text, sub); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseSubscription(b *testing.B) {
	address := doc("https://fcm.googleapis.com/fcm/send/cFLcPQvUzHA:APA91bH", goodPoint, goodAuth)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseSubscription(address, DefaultHosts(), ""); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSend includes the stand-in's own work in the same process.
func BenchmarkSend(b *testing.B) {
	svc, base := service(b, standin.Options{})
	s := openFor(b, base, nil)
	m := message(address(b, svc, base, 0))
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := s.Send(b.Context(), m); err != nil {
				b.Error(err)
				return
			}
		}
	})
}
