package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// saramaSasl says who it is by every mechanism, rightly and wrongly; bob then meets a rule, since alice meets
// those of franz-go at the same time.
func saramaSasl(ctx context.Context, w *world) error {
	user, password := w.name("carol"), "carol-secret"
	topic := w.name("topic")
	admin, err := w.saramaTopic(topic, 1)
	if err != nil {
		return err
	}
	defer admin.Close()
	mechanisms := []sarama.ScramMechanismType{sarama.SCRAM_MECHANISM_SHA_256, sarama.SCRAM_MECHANISM_SHA_512}
	for _, mechanism := range mechanisms {
		upsert := sarama.AlterUserScramCredentialsUpsert{Name: user, Mechanism: mechanism, Iterations: 4096, Salt: []byte("a salt of any kind"), Password: []byte(password)}
		set, err := admin.UpsertUserScramCredentials([]sarama.AlterUserScramCredentialsUpsert{upsert})
		if err != nil {
			return err
		}
		w.observe("set "+mechanism.String(), fmt.Sprintf("code %d", int16(set[0].ErrorCode)))
	}
	for _, mechanism := range []sarama.SASLMechanism{sarama.SASLTypeSCRAMSHA256, sarama.SASLTypeSCRAMSHA512} {
		if err := eventually(ctx, func() error { return w.saramaEnter(mechanism, user, password) }); err != nil {
			return err
		}
	}
	now := time.Now()
	cases := []struct {
		step             string
		mechanism        sarama.SASLMechanism
		user, credential string
	}{
		{"PLAIN", sarama.SASLTypePlaintext, "alice", "alice-secret"},
		{"PLAIN with a wrong password", sarama.SASLTypePlaintext, "alice", "x"},
		{"SCRAM-SHA-256", sarama.SASLTypeSCRAMSHA256, user, password},
		{"SCRAM-SHA-256 with a wrong password", sarama.SASLTypeSCRAMSHA256, user, "x"},
		{"SCRAM-SHA-512", sarama.SASLTypeSCRAMSHA512, user, password},
		{"SCRAM-SHA-512 with a wrong password", sarama.SASLTypeSCRAMSHA512, user, "x"},
		{"OAUTHBEARER", sarama.SASLTypeOAuth, "", unsecuredToken("alice", now, now.Add(time.Hour))},
		{"OAUTHBEARER with a token that has ended", sarama.SASLTypeOAuth, "", unsecuredToken("alice", now.Add(-2*time.Hour), now.Add(-time.Hour))},
	}
	for _, one := range cases {
		w.observe(one.step, saramaEntered(w.saramaEnter(one.mechanism, one.user, one.credential)))
	}
	produce := func() error { return w.saramaProduceAs("bob", "bob-secret", topic) }
	w.observe("nothing is allowed: produces", saramaCode(produce()))
	resource := sarama.Resource{ResourceType: sarama.AclResourceTopic, ResourceName: topic, ResourcePatternType: sarama.AclPatternLiteral}
	rule := sarama.Acl{Principal: "User:bob", Host: "*", Operation: sarama.AclOperationWrite, PermissionType: sarama.AclPermissionAllow}
	if err := admin.CreateACL(resource, rule); err != nil {
		return err
	}
	w.observe("may write: produces", saramaCode(eventually(ctx, produce)))
	return nil
}

func (w *world) saramaAs(mechanism sarama.SASLMechanism, user, credential string) *sarama.Config {
	config := saramaConfig()
	config.Metadata.Retry.Max = 0
	config.Net.SASL.Enable = true
	config.Net.SASL.Mechanism = mechanism
	config.Net.SASL.User, config.Net.SASL.Password = user, credential
	config.Net.SASL.Version = sarama.SASLHandshakeV1
	config.Net.SASL.TokenProvider = oneToken(credential)
	config.Net.SASL.SCRAMClientGeneratorFunc = func() sarama.SCRAMClient { return &scramClient{mechanism: mechanism} }
	return config
}

// saramaEnter asks one broker for its topics, so that the error is that of its connection.
func (w *world) saramaEnter(mechanism sarama.SASLMechanism, user, credential string) error {
	broker := sarama.NewBroker(w.saslAddress)
	if err := broker.Open(w.saramaAs(mechanism, user, credential)); err != nil {
		return err
	}
	defer broker.Close()
	if _, err := broker.Connected(); err != nil {
		return err
	}
	_, err := broker.GetMetadata(sarama.NewMetadataRequest(saramaConfig().Version, []string{}))
	return err
}

func (w *world) saramaProduceAs(user, password, topic string) error {
	producer, err := sarama.NewSyncProducer([]string{w.saslAddress}, w.saramaAs(sarama.SASLTypePlaintext, user, password))
	if err != nil {
		return err
	}
	defer producer.Close()
	_, _, err = producer.SendMessage(&sarama.ProducerMessage{Topic: topic, Value: sarama.StringEncoder("v")})
	return err
}

func saramaEntered(err error) string {
	var kafka sarama.KError
	if errors.As(err, &kafka) {
		return saramaCode(err)
	}
	// What a broker says beside its error code is its own.
	if refusal := sarama.ErrSASLAuthenticationFailed.Error(); err != nil && strings.HasPrefix(err.Error(), refusal) {
		return refusal
	}
	return entered(err)
}

type oneToken string

func (t oneToken) Token() (*sarama.AccessToken, error) {
	return &sarama.AccessToken{Token: string(t)}, nil
}

// scramClient lets franz-go's side of SCRAM speak for sarama, which brings none of its own.
type scramClient struct {
	mechanism sarama.SASLMechanism
	session   sasl.Session
	first     []byte
	done      bool
}

func (c *scramClient) Begin(user, password, zid string) error {
	auth := scram.Auth{Zid: zid, User: user, Pass: password}
	mechanism := auth.AsSha256Mechanism()
	if c.mechanism == sarama.SASLTypeSCRAMSHA512 {
		mechanism = auth.AsSha512Mechanism()
	}
	session, first, err := mechanism.Authenticate(context.Background(), "")
	c.session, c.first = session, first
	return err
}

func (c *scramClient) Step(challenge string) (string, error) {
	if challenge == "" {
		return string(c.first), nil
	}
	done, answer, err := c.session.Challenge([]byte(challenge))
	c.done = done
	return string(answer), err
}

func (c *scramClient) Done() bool { return c.done }
