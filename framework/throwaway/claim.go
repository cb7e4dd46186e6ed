package throwaway

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/kubeerr"
)

// ClaimOptions describe a throwaway PersistentVolumeClaim.
type ClaimOptions struct {
	// Name tells the claims of one item apart.
	Name string
	// Class is the StorageClass; empty for the default one.
	Class string
	// AccessMode is ReadWriteOnce if empty.
	AccessMode corev1.PersistentVolumeAccessMode
	// Size is what is asked for.
	Size resource.Quantity
	// DataSource is a snapshot or claim to restore from.
	DataSource *corev1.TypedLocalObjectReference
}

// Claim is a throwaway PersistentVolumeClaim.
type Claim struct {
	kit  *Kit
	last *corev1.PersistentVolumeClaim
}

// NewClaim returns the claim that Claim would create, for a dry run.
func (k *Kit) NewClaim(options ClaimOptions) *corev1.PersistentVolumeClaim {
	claim := &corev1.PersistentVolumeClaim{
		ObjectMeta: k.meta(options.Name, nil),
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources:   corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: options.Size}},
			DataSource:  options.DataSource,
		},
	}
	if options.AccessMode != "" {
		claim.Spec.AccessModes[0] = options.AccessMode
	}
	if options.Class != "" {
		claim.Spec.StorageClassName = ptr.To(options.Class)
	}
	return claim
}

// Claim creates a claim and registers its deletion; the run waits for its volume to be gone
// at its end. What keeps it from being created is a finding.
func (k *Kit) Claim(ctx context.Context, options ClaimOptions) (*Claim, error) {
	claim := k.NewClaim(options)
	if err := k.run.mayCreate("claim " + claim.Name); err != nil {
		return nil, err
	}
	ctx, cancel := limited(ctx)
	defer cancel()
	if err := k.mayLeave(ctx, options.Class); err != nil {
		return nil, err
	}
	claims := k.client.Kube.CoreV1().PersistentVolumeClaims(k.Namespace())
	k.deleteAfter("claim", claim.Name, func(ctx context.Context, name string, options metav1.DeleteOptions) error {
		if present, err := claims.Get(ctx, name, metav1.GetOptions{}); err == nil {
			k.run.remember(present.Spec.VolumeName)
		}
		return claims.Delete(ctx, name, options)
	})
	created, err := claims.Create(ctx, claim, metav1.CreateOptions{})
	if err != nil {
		return nil, kubeerr.FromAPI(err, fmt.Sprintf("create the throwaway claim %s of %s", claim.Name, options.Size.String()))
	}
	return &Claim{kit: k, last: created}, nil
}

// mayLeave refuses to claim a volume that would stay after the run, which may not delete
// volumes of the cluster. A class that cannot be read is let pass: the claim will tell.
func (k *Kit) mayLeave(ctx context.Context, class string) error {
	if class == "" || k.run.settings.RetainedVolumes {
		return nil
	}
	found, err := k.client.Kube.StorageV1().StorageClasses().Get(ctx, class, metav1.GetOptions{})
	if err != nil || ptr.Deref(found.ReclaimPolicy, corev1.PersistentVolumeReclaimDelete) != corev1.PersistentVolumeReclaimRetain {
		return nil
	}
	return finding.NotDecided("a throwaway volume that goes with its claim",
		fmt.Sprintf("StorageClass %s has the reclaim policy Retain: each run would leave its volumes behind", class),
		"the class keeps users' data when their claims are deleted",
		"answer runner.retainedVolumes: true and have an administrator delete the volumes that a run names, or answer a class of the same storage with the policy Delete")
}

// Name returns the claim's name.
func (c *Claim) Name() string { return c.last.Name }

// Volume returns the name of the claim's PersistentVolume as last seen, empty before it is bound.
func (c *Claim) Volume() string { return c.last.Spec.VolumeName }

// Class returns the claim's StorageClass as last seen: the default one where none was asked for.
func (c *Claim) Class() string { return ptr.Deref(c.last.Spec.StorageClassName, "") }

// Capacity returns the size of the bound volume as last seen.
func (c *Claim) Capacity() resource.Quantity { return c.last.Status.Capacity[corev1.ResourceStorage] }

// Bound waits until the claim has a volume. A claim whose StorageClass binds late is bound
// only when a pod uses it: wait for that pod then.
func (c *Claim) Bound(ctx context.Context) error {
	return c.wait(ctx, fmt.Sprintf("claim %s gets a volume", c.Name()), func(claim *corev1.PersistentVolumeClaim) bool {
		return claim.Status.Phase == corev1.ClaimBound
	})
}

// Grow asks for a larger volume and waits until it has that size. A filesystem is grown
// while a pod uses it.
func (c *Claim) Grow(ctx context.Context, size resource.Quantity) error {
	if err := c.RequestSize(ctx, size); err != nil {
		return err
	}
	return c.wait(ctx, fmt.Sprintf("claim %s grows to %s", c.Name(), size.String()), func(claim *corev1.PersistentVolumeClaim) bool {
		has := claim.Status.Capacity[corev1.ResourceStorage]
		return has.Cmp(size) >= 0
	})
}

// RequestSize asks for a larger volume and does not wait. A StorageClass that does not allow
// it is a finding.
func (c *Claim) RequestSize(ctx context.Context, size resource.Quantity) error {
	ctx, cancel := limited(ctx)
	defer cancel()
	patch := fmt.Sprintf(`{"spec":{"resources":{"requests":{"storage":%q}}}}`, size.String())
	claims := c.kit.client.Kube.CoreV1().PersistentVolumeClaims(c.last.Namespace)
	changed, err := claims.Patch(ctx, c.Name(), types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	if err != nil {
		return kubeerr.FromAPI(err, fmt.Sprintf("grow claim %s to %s", c.Name(), size.String()))
	}
	c.last = changed
	return nil
}

// Delete asks for the claim's deletion and does not wait for it.
func (c *Claim) Delete(ctx context.Context) error {
	ctx, cancel := limited(ctx)
	defer cancel()
	c.kit.run.remember(c.Volume())
	return deleted(c.kit.client.Kube.CoreV1().PersistentVolumeClaims(c.last.Namespace).Delete(ctx, c.Name(), metav1.DeleteOptions{}), "claim", c.Name())
}

// Gone waits until the claim is no more, and its volume neither if it was seen bound.
func (c *Claim) Gone(ctx context.Context) error {
	ctx, cancel := limited(ctx)
	defer cancel()
	var err error
	c.last, err = follow(ctx, c.target(), c.last, func(_ context.Context, _ *corev1.PersistentVolumeClaim, gone bool) (bool, time.Duration, error) {
		return gone, 0, nil
	})
	if err != nil {
		return c.ended(ctx, err, fmt.Sprintf("claim %s is gone after its deletion", c.Name()))
	}
	if c.Volume() == "" {
		return nil
	}
	return volumesGone(ctx, c.kit.client, []string{c.Volume()})
}

func (c *Claim) target() target[*corev1.PersistentVolumeClaim] {
	claims := c.kit.client.Kube.CoreV1().PersistentVolumeClaims(c.last.Namespace)
	return target[*corev1.PersistentVolumeClaim]{kind: "persistentvolumeclaims", name: c.last.Name, get: claims.Get, watch: claims.Watch}
}

// wait follows the claim until reached says so, a symptom has worn out its grace, or ctx ends.
func (c *Claim) wait(ctx context.Context, expected string, reached func(*corev1.PersistentVolumeClaim) bool) error {
	ctx, cancel := limited(ctx)
	defer cancel()
	client, began := c.kit.client, time.Now()
	look := began.Add(nextLook(0))
	var told *symptom
	var seen patience
	var err error
	c.last, err = follow(ctx, c.target(), c.last, func(ctx context.Context, claim *corev1.PersistentVolumeClaim, gone bool) (bool, time.Duration, error) {
		if gone {
			s := &symptom{cause: DeletedMeanwhile, text: describeClaim(claim), undecided: true,
				why: "someone deleted the claim while the check waited for it", do: "run again; see the audit log for who did"}
			return false, 0, s.finding(expected)
		}
		if reached(claim) {
			return true, 0, nil
		}
		if s := claimSymptom(claim); s != nil {
			return false, 0, s.finding(expected)
		}
		now := time.Now()
		if age := now.Sub(began); !now.Before(look) {
			told = claimEventSymptom(eventsOf(ctx, client, claim.Namespace, "PersistentVolumeClaim", claim.Name, claim.UID), age)
			look = now.Add(nextLook(age))
		}
		worn, left := seen.worn(told, now)
		if worn {
			return false, 0, told.finding(expected)
		}
		return false, soonest(left, look.Sub(now)), nil
	})
	return c.ended(ctx, err, expected)
}

// ended words the end of a wait; nil stays nil.
func (c *Claim) ended(ctx context.Context, err error, expected string) error {
	if err == nil || finding.As(err) != nil {
		return err
	}
	if kubeerr.ReasonOf(err) != kubeerr.Interrupted {
		return kubeerr.FromAPI(err, expected)
	}
	extra, cancel := context.WithTimeout(context.WithoutCancel(ctx), explainTime)
	defer cancel()
	events := eventsOf(extra, c.kit.client, c.last.Namespace, "PersistentVolumeClaim", c.last.Name, c.last.UID)
	return timedOut(ctx, expected, describeClaim(c.last), lastWords(events))
}

// claimSymptom returns what a claim's status says is wrong for good.
func claimSymptom(claim *corev1.PersistentVolumeClaim) *symptom {
	if claim.Status.Phase == corev1.ClaimLost {
		return &symptom{cause: VolumeLost, text: "phase Lost", why: "the claim's volume was deleted under it", do: "see who deletes PersistentVolumes"}
	}
	switch state := claim.Status.AllocatedResourceStatuses[corev1.ResourceStorage]; state {
	case corev1.PersistentVolumeClaimControllerResizeInfeasible, corev1.PersistentVolumeClaimNodeResizeInfeasible:
		return &symptom{cause: ResizeFailed, text: string(state), why: "the storage backend cannot grow this volume", do: "see the claim's events and the backend's space"}
	}
	return nil
}

func describeClaim(claim *corev1.PersistentVolumeClaim) string {
	text := "phase " + string(claim.Status.Phase)
	if size, bound := claim.Status.Capacity[corev1.ResourceStorage]; bound {
		text += ", " + size.String()
	}
	for _, condition := range claim.Status.Conditions {
		text += fmt.Sprintf(", %s: %s", condition.Type, condition.Message)
	}
	return text
}
