package policy

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
	"sigs.k8s.io/knftables"
)

// The table follows what is created and deleted.
func TestAgentFollows(t *testing.T) {
	w := cluster()
	client := fake.NewClientset(w.namespaces[0], w.pods[0])
	tables := knftables.NewFake(knftables.IPv4Family, table)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- agent{node: "here", client: client, tables: tables, dropsDNS: func() bool { return false }, log: slog.New(slog.DiscardHandler)}.run(ctx)
	}()
	eventually(t, tables, "hook forward", true)
	policies := client.NetworkingV1().NetworkPolicies("a")
	deny := policyFor(nil, []in{}, nil)
	deny.Name = "deny"
	if _, err := policies.Create(ctx, deny, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, tables, "ip daddr 10.0.1.1 jump", true)
	allow := policyFor(nil, []in{{From: []peer{{PodSelector: labelled("app", "friend")}}}}, nil)
	allow.Name = "allow"
	if _, err := policies.Create(ctx, allow, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.CoreV1().Pods("a").Create(ctx, w.pods[1], metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, tables, "ip saddr { 10.0.2.1 } return", true)
	friend := w.pods[1].DeepCopy()
	friend.Status.Phase = corev1.PodFailed
	if _, err := client.CoreV1().Pods("a").UpdateStatus(ctx, friend, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, tables, "10.0.2.1", false)
	for _, policy := range []*networkingv1.NetworkPolicy{deny, allow} {
		if err := policies.Delete(ctx, policy.Name, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, tables, "10.0.1.1", false)
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func eventually(t *testing.T, tables *knftables.Fake, text string, there bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); strings.Contains(tables.Dump(), text) != there; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%q there: %t\n%s", text, !there, tables.Dump())
		}
	}
}
