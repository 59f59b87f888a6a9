package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"sort"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/oauth"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// Kafka's broker hears of users and rules a moment after they were answered: what must work is tried this long.
const hearsWithin = 10 * time.Second

// deniedWithin bounds what is refused: a client that takes a refusal for a passing trouble would try on.
const deniedWithin = 10 * time.Second

// franzSasl says who it is by every mechanism, rightly and wrongly.
func franzSasl(ctx context.Context, w *world) error {
	user, password := w.name("carol"), "carol-secret"
	if err := w.scramUser(ctx, user, password); err != nil {
		return err
	}
	sha256 := scram.Auth{User: user, Pass: password}.AsSha256Mechanism()
	sha512 := scram.Auth{User: user, Pass: password}.AsSha512Mechanism()
	for _, mechanism := range []sasl.Mechanism{sha256, sha512} {
		if err := eventually(ctx, func() error { return w.enter(ctx, mechanism) }); err != nil {
			return err
		}
	}
	now := time.Now()
	cases := []struct {
		step      string
		mechanism sasl.Mechanism
	}{
		{"PLAIN", plain.Auth{User: "alice", Pass: "alice-secret"}.AsMechanism()},
		{"PLAIN with a wrong password", plain.Auth{User: "alice", Pass: "x"}.AsMechanism()},
		{"PLAIN of nobody", plain.Auth{User: "nobody", Pass: "x"}.AsMechanism()},
		{"PLAIN on behalf of another", plain.Auth{Zid: "bob", User: "alice", Pass: "alice-secret"}.AsMechanism()},
		{"SCRAM-SHA-256", sha256},
		{"SCRAM-SHA-256 with a wrong password", scram.Auth{User: user, Pass: "x"}.AsSha256Mechanism()},
		{"SCRAM-SHA-256 of nobody", scram.Auth{User: "nobody", Pass: "x"}.AsSha256Mechanism()},
		{"SCRAM-SHA-512", sha512},
		{"SCRAM-SHA-512 with a wrong password", scram.Auth{User: user, Pass: "x"}.AsSha512Mechanism()},
		{"SCRAM-SHA-512 of nobody", scram.Auth{User: "nobody", Pass: "x"}.AsSha512Mechanism()},
		{"OAUTHBEARER", oauth.Auth{Token: unsecuredToken("alice", now, now.Add(time.Hour))}.AsMechanism()},
		{"OAUTHBEARER with a token that has ended", oauth.Auth{Token: unsecuredToken("alice", now.Add(-2*time.Hour), now.Add(-time.Hour))}.AsMechanism()},
		{"OAUTHBEARER with no token at all", oauth.Auth{Token: "none"}.AsMechanism()},
		{"a mechanism that is off", unknownMechanism{}},
	}
	for _, one := range cases {
		w.observe(one.step, entered(w.enter(ctx, one.mechanism)))
	}
	return nil
}

// franzAccess does as alice what the rules do not allow, and then what they do.
func franzAccess(ctx context.Context, w *world) error {
	one, other, group := w.name("one"), w.name("other"), w.name("group")
	admin, err := w.topic(ctx, one, 1, nil)
	if err != nil {
		return err
	}
	defer admin.Close()
	another, err := w.topic(ctx, other, 1, nil)
	if err != nil {
		return err
	}
	another.Close()
	if err := w.produceAs(ctx, one, w.client); err != nil {
		return err
	}
	alice := func(options ...kgo.Opt) (*kgo.Client, error) {
		mechanism := plain.Auth{User: "alice", Pass: "alice-secret"}.AsMechanism()
		return w.saslClient(append([]kgo.Opt{kgo.SASL(mechanism)}, options...)...)
	}
	produce := func(options ...kgo.Opt) func() error {
		return func() error {
			return w.produceAs(ctx, one, func(more ...kgo.Opt) (*kgo.Client, error) { return alice(append(more, options...)...) })
		}
	}
	read := func(options ...kgo.Opt) func() error {
		return func() error {
			within, cancel := context.WithTimeout(ctx, deniedWithin)
			defer cancel()
			client, err := alice(append([]kgo.Opt{kgo.ConsumeTopics(one), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart())}, options...)...)
			if err != nil {
				return err
			}
			defer client.Close()
			if _, err := poll(within, client, 1); err != nil {
				return err
			}
			if len(options) > 0 {
				return client.CommitUncommittedOffsets(within)
			}
			return nil
		}
	}
	inGroup := read(kgo.ConsumerGroup(group), kgo.DisableAutoCommit())
	transaction := func() error { return beginAs(ctx, w.name("txn"), alice) }
	refused := func(step string, call func() error) { w.observe(step, code(call())) }
	allowed := func(step string, call func() error) { w.observe(step, code(eventually(ctx, call))) }
	rule := func(builder *kadm.ACLBuilder) error { return addRule(ctx, admin, builder) }

	refused("nothing is allowed: reads", read())
	if err := rule(kadm.NewACLs().Topics(one).Allow("User:alice").Operations(kadm.OpRead)); err != nil {
		return err
	}
	allowed("may read: reads", read())
	seen, err := topicsOf(ctx, alice)
	if err != nil {
		return err
	}
	w.observe("may read: sees", withPrefix(seen, w.prefix))
	refused("may read: produces", produce(kgo.DisableIdempotentWrite()))
	refused("may read: produces with an identity", produce())
	refused("may read: reads in a group", inGroup)
	refused("may read: starts a transaction", transaction)
	refused("may read: deletes the topic", func() error {
		client, err := alice()
		if err != nil {
			return err
		}
		defer client.Close()
		_, err = kadm.NewClient(client).DeleteTopic(ctx, one)
		return err
	})
	if err := rule(kadm.NewACLs().Groups(group).Allow("User:alice").Operations(kadm.OpRead)); err != nil {
		return err
	}
	allowed("may use the group: reads in a group", inGroup)
	if err := rule(kadm.NewACLs().Topics(one).Allow("User:alice").Operations(kadm.OpWrite)); err != nil {
		return err
	}
	allowed("may write: produces", produce(kgo.DisableIdempotentWrite()))
	allowed("may write: produces with an identity", produce())
	if err := rule(kadm.NewACLs().TransactionalIDs(w.name("txn")).Allow("User:alice").Operations(kadm.OpWrite)); err != nil {
		return err
	}
	allowed("may use the transactional id: starts a transaction", transaction)
	if err := rule(kadm.NewACLs().Topics(one).Deny("User:alice").Operations(kadm.OpWrite)); err != nil {
		return err
	}
	denied := func() error {
		if err := produce(kgo.DisableIdempotentWrite())(); err != nil {
			return nil
		}
		return errors.New("not yet denied")
	}
	if err := eventually(ctx, denied); err != nil {
		return err
	}
	refused("denied what was allowed: produces", produce(kgo.DisableIdempotentWrite()))
	return nil
}

// saslClient goes where it must say who it is.
func (w *world) saslClient(options ...kgo.Opt) (*kgo.Client, error) {
	if w.saslAddress == "" {
		return nil, errors.New("no address with SASL is given")
	}
	return w.client(append([]kgo.Opt{kgo.SeedBrokers(w.saslAddress), kgo.RequestRetries(2)}, options...)...)
}

func (w *world) enter(ctx context.Context, mechanism sasl.Mechanism) error {
	within, cancel := context.WithTimeout(ctx, deniedWithin)
	defer cancel()
	client, err := w.saslClient(kgo.SASL(mechanism))
	if err != nil {
		return err
	}
	defer client.Close()
	return client.Ping(within)
}

// scramUser gives a user a password for both mechanisms.
func (w *world) scramUser(ctx context.Context, user, password string) error {
	client, err := w.client()
	if err != nil {
		return err
	}
	defer client.Close()
	for _, mechanism := range []kadm.ScramMechanism{kadm.ScramSha256, kadm.ScramSha512} {
		upsert := kadm.UpsertSCRAM{User: user, Mechanism: mechanism, Iterations: 4096, Password: password}
		set, err := kadm.NewClient(client).AlterUserSCRAMs(ctx, nil, []kadm.UpsertSCRAM{upsert})
		if err != nil {
			return err
		}
		if err := set[user].Err; err != nil {
			return err
		}
	}
	return nil
}

func (w *world) produceAs(ctx context.Context, topic string, connect func(...kgo.Opt) (*kgo.Client, error)) error {
	within, cancel := context.WithTimeout(ctx, deniedWithin)
	defer cancel()
	client, err := connect(kgo.DefaultProduceTopic(topic))
	if err != nil {
		return err
	}
	defer client.Close()
	return client.ProduceSync(within, kgo.StringRecord("v")).FirstErr()
}

// beginAs asks for a producer id, as every transaction does first.
func beginAs(ctx context.Context, id string, connect func(...kgo.Opt) (*kgo.Client, error)) error {
	within, cancel := context.WithTimeout(ctx, deniedWithin)
	defer cancel()
	client, err := connect(kgo.TransactionalID(id))
	if err != nil {
		return err
	}
	defer client.Close()
	_, _, err = client.ProducerID(within)
	return err
}

func topicsOf(ctx context.Context, connect func(...kgo.Opt) (*kgo.Client, error)) ([]string, error) {
	client, err := connect()
	if err != nil {
		return nil, err
	}
	defer client.Close()
	listed, err := kadm.NewClient(client).ListTopics(ctx)
	return listed.Names(), err
}

func addRule(ctx context.Context, admin *kadm.Client, builder *kadm.ACLBuilder) error {
	made, err := admin.CreateACLs(ctx, builder.ResourcePatternType(kadm.ACLPatternLiteral))
	if err != nil {
		return err
	}
	for _, one := range made {
		if one.Err != nil {
			return one.Err
		}
	}
	return nil
}

func withPrefix(names []string, prefix string) []string {
	found := []string{}
	for _, name := range names {
		if local, has := strings.CutPrefix(name, prefix); has {
			found = append(found, local)
		}
	}
	sort.Strings(found)
	return found
}

// eventually tries until it works, and says at the end why it did not.
func eventually(ctx context.Context, call func() error) error {
	until := time.Now().Add(hearsWithin)
	for {
		err := call()
		if err == nil || ctx.Err() != nil || time.Now().After(until) {
			return err
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// entered is one word for how it went: what is said of addresses and attempts changes from run to run.
func entered(err error) string {
	var network net.Error
	switch {
	case err == nil:
		return "entered"
	case errors.Is(err, context.DeadlineExceeded):
		return "no answer"
	case errors.As(err, &network):
		return "connection lost"
	}
	return code(err)
}

// unsecuredToken is a JSON Web Token without a signature.
func unsecuredToken(subject string, from, until time.Time) string {
	part := func(content any) string { return base64.RawURLEncoding.EncodeToString(must(json.Marshal(content))) }
	claims := map[string]any{"sub": subject, "iat": from.Unix(), "exp": until.Unix()}
	return fmt.Sprintf("%s.%s.", part(map[string]string{"alg": "none"}), part(claims))
}

// unknownMechanism is one that no broker has.
type unknownMechanism struct{}

func (unknownMechanism) Name() string { return "X-NONE" }
func (unknownMechanism) Authenticate(context.Context, string) (sasl.Session, []byte, error) {
	return nil, nil, errors.New("the broker takes X-NONE")
}
