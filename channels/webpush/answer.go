package webpush

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"loa/channels"
)

// classify reads a push service's answer (RFC 8030 section 5 and the status
// codes of RFC 9110).
//
//	201, 202             accepted
//	404, 410             the subscription is gone, and only these say so (RFC 8030 section 7.3)
//	413                  no push service takes this body
//	401, 403             our key or token is refused: nobody can be reached
//	429                  wait; never accepted
//	503                  not handled (RFC 9110 section 15.6.4); try again
//	other 5xx, odd 2xx   ambiguous: something behind the answer may have taken it
//	all else             not accepted, and no proof against the subscription; try again
//
// A second copy after an ambiguous answer does little harm here: with the same
// Topic it replaces the first while that one waits (RFC 8030 section 5.4), and
// a device that already showed it folds the two by the alert's tag.
func classify(resp *http.Response, now time.Time) (channels.Ack, error) {
	status := resp.StatusCode
	fault := channels.FaultTransient
	switch {
	case status == http.StatusCreated || status == http.StatusAccepted:
		return channels.Ack{Outcome: channels.Accepted}, nil
	case status == http.StatusNotFound || status == http.StatusGone:
		fault = channels.FaultAddress
	case status == http.StatusRequestEntityTooLarge:
		fault = channels.FaultContent
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		fault = channels.FaultProvider
	case status == http.StatusTooManyRequests:
		fault = channels.FaultThrottled
	case status == http.StatusServiceUnavailable:
		fault = channels.FaultTransient
	case status >= 500 || status < 300:
		fault = channels.FaultAmbiguous
	}
	e := &channels.Error{Fault: fault, Code: strconv.Itoa(status), Err: errors.New("webpush: push service refused the message")}
	if fault == channels.FaultThrottled || status == http.StatusServiceUnavailable {
		e.RetryAfter = retryAfter(resp.Header.Get("Retry-After"), now)
	}
	if fault == channels.FaultAmbiguous {
		e.Err = errors.New("webpush: push service answered neither accepted nor refused")
	}
	return channels.Ack{}, e
}

// plain says what broke a call without the transport's own words: those may
// quote the answer, and a hostile answer may quote our token and the address.
func plain(err error) error {
	var dns *net.DNSError
	var op *net.OpError
	var cert *tls.CertificateVerificationError
	switch {
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("webpush: call: %w", context.Canceled)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("webpush: call: %w", context.DeadlineExceeded)
	case errors.Is(err, errNotPublic):
		return errNotPublic
	case errors.As(err, &dns):
		return errors.New("webpush: push service's name could not be resolved")
	case errors.As(err, &cert):
		return errors.New("webpush: push service's certificate is not trusted")
	case errors.As(err, &op) && op.Op == "dial":
		return errors.New("webpush: push service could not be reached")
	default:
		return errors.New("webpush: connection to the push service broke")
	}
}

// retryAfter reads seconds or a date and keeps it within 1 s and 5 min, so
// that no answer can stop a channel. It is zero when the service said nothing
// that can be read.
func retryAfter(v string, now time.Time) time.Duration {
	const least, most = time.Second, 5 * time.Minute
	if v == "" {
		return 0
	}
	if at, err := http.ParseTime(v); err == nil {
		return max(least, min(at.Sub(now), most))
	}
	n, err := strconv.ParseFloat(v, 64)
	if err != nil || n != n {
		return 0
	}
	return time.Duration(max(least.Seconds(), min(n, most.Seconds())) * float64(time.Second))
}
