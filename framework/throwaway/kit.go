package throwaway

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilrand "k8s.io/apimachinery/pkg/util/rand"
	"k8s.io/utils/ptr"

	"aiv.internal/conformance/framework/kubeerr"
)

// Kit makes throwaway objects for one item and has them removed after its check.
type Kit struct {
	run     *Run
	client  Client
	item    string
	cleanup func(func(context.Context) error)
}

// Kit returns the kit of one checklist item. cleanup registers a function that runs when the
// item's check is over, however it ended, last registered first: Ginkgo's DeferCleanup.
func (r *Run) Kit(item string, cleanup func(func(context.Context) error)) *Kit {
	return &Kit{run: r, client: r.client, item: item, cleanup: cleanup}
}

// As returns the same kit with other clients, for example with ones that call themselves by
// the item, so that the cluster's audit log tells which check made what.
func (k *Kit) As(client Client) *Kit {
	same := *k
	same.client = client
	return &same
}

// Client returns the clients that the kit works with.
func (k *Kit) Client() Client { return k.client }

// Run returns the run that the kit belongs to.
func (k *Kit) Run() *Run { return k.run }

// Namespace returns the namespace in which the kit creates its objects.
func (k *Kit) Namespace() string { return k.run.settings.Namespace }

// Labels returns the labels that every object of the kit carries.
func (k *Kit) Labels() map[string]string {
	return map[string]string{LabelManagedBy: ManagedBy, LabelRun: k.run.settings.RunID, LabelItem: k.item}
}

// Secret creates a secret and returns its name.
func (k *Kit) Secret(ctx context.Context, name string, kind corev1.SecretType, data map[string][]byte) (string, error) {
	secret := &corev1.Secret{ObjectMeta: k.meta(name, nil), Type: kind, Data: data, Immutable: ptr.To(true)}
	secrets := k.client.Kube.CoreV1().Secrets(k.Namespace())
	if err := k.run.mayCreate("secret " + secret.Name); err != nil {
		return "", err
	}
	k.deleteAfter("secret", secret.Name, secrets.Delete)
	if _, err := secrets.Create(ctx, secret, metav1.CreateOptions{}); err != nil {
		return "", kubeerr.FromAPI(err, "create the throwaway secret "+secret.Name)
	}
	return secret.Name, nil
}

// meta returns the metadata of a new object. Names end in random characters, so that an item
// that is checked twice does not meet its first objects on their way out.
func (k *Kit) meta(name string, labels map[string]string) metav1.ObjectMeta {
	all := k.Labels()
	for key, value := range labels {
		if _, ours := all[key]; !ours {
			all[key] = value
		}
	}
	parts := []string{"cf", strings.ToLower(strings.ReplaceAll(k.item, ".", "-"))}
	if name != "" {
		parts = append(parts, name)
	}
	return metav1.ObjectMeta{
		Name:            strings.Join(append(parts, utilrand.String(5)), "-"),
		Namespace:       k.Namespace(),
		Labels:          all,
		OwnerReferences: k.run.owner(),
	}
}

// remover deletes the object of a name, as the clients of all kinds do.
type remover = func(context.Context, string, metav1.DeleteOptions) error

// deleteAfter registers the deletion of an object before it is created: a create whose
// answer is lost leaves an object as well.
func (k *Kit) deleteAfter(kind, name string, remove remover) {
	if k.run.settings.Keep {
		return
	}
	k.cleanup(func(ctx context.Context) error {
		ctx, cancel := limited(ctx)
		defer cancel()
		return deleted(remove(ctx, name, metav1.DeleteOptions{PropagationPolicy: ptr.To(metav1.DeletePropagationBackground)}), kind, name)
	})
}

// deleted words the error of a deletion; an object that is gone already is none, and so is one
// whose kind the cluster does not know: it was never made.
func deleted(err error, kind, name string) error {
	if err == nil {
		return nil
	}
	switch kubeerr.ReasonOf(err) {
	case kubeerr.NotFound, kubeerr.NotServed:
		return nil
	}
	return kubeerr.FromAPI(err, fmt.Sprintf("delete the throwaway %s %s", kind, name))
}
