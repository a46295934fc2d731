//! A network without gradients that slowly follows the trained one: MoCo's momentum encoder, BYOL's target network.

use crate::nn::{Init, state};
use burn::module::Module;
use burn::tensor::Device;

/// A second network with the values of `leader`, in memory of its own and without gradients. `build` is what has built
/// `leader`; `device` is the one that gradients are taken on.
pub fn follower<M: Module>(leader: &M, device: &Device, build: impl FnOnce(&mut Init) -> M) -> M {
    let follower = build(&mut Init::new(0, &device.clone().inner())).valid();
    state::restore(&follower, &state::named(leader).into_iter().collect()).expect("both were built alike");
    follower
}

/// One step of `follower` towards `leader`: `f <- momentum f + (1 - momentum) l` for all that is trained, in place.
/// Running statistics are not: each network has those of what passes through it.
pub fn follow<M: Module>(follower: &M, leader: &M, momentum: f64) {
    for (mut own, leading) in state::entries(follower).into_iter().zip(state::entries(leader)) {
        if leading.trained {
            let _ = tch::no_grad(|| own.tensor.lerp_(&leading.tensor, 1.0 - momentum));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::encoder::EncoderConfig;
    use crate::nn::layers::Mode;
    use burn::tensor::Tensor;

    fn values<M: Module>(module: &M) -> Vec<(bool, Vec<f32>)> {
        let values = |tensor: &tch::Tensor| Vec::try_from(tensor.contiguous().flatten(0, -1)).unwrap();
        state::entries(module).iter().map(|entry| (entry.trained, values(&entry.tensor))).collect()
    }

    #[test]
    fn a_follower_starts_as_its_leader_and_goes_its_share_of_the_way() {
        let device = crate::nn::device("cpu").unwrap().autodiff();
        let build = |init: &mut Init| EncoderConfig::default().build(init);
        let leader = build(&mut Init::new(1, &device));
        let follower = follower(&leader, &device, build);
        let start = values(&leader);
        assert!(values(&follower).iter().zip(&start).all(|(own, (_, leading))| !own.0 && own.1 == *leading));

        state::entries(&leader).iter_mut().for_each(|entry| drop(tch::no_grad(|| entry.tensor.g_add_scalar_(1.0))));
        assert!(values(&follower).iter().zip(&start).all(|(own, (_, leading))| own.1 == *leading), "shared memory");
        follow(&follower, &leader, 0.75);
        for ((_, own), (trained, before)) in values(&follower).iter().zip(&start) {
            let expected = if *trained { 0.25 } else { 0.0 };
            assert!(own.iter().zip(before).all(|(own, before)| (own - before - expected).abs() < 1e-6));
        }
    }

    #[test]
    fn what_passes_through_a_follower_changes_its_own_statistics_and_no_weights() {
        let device = crate::nn::device("cpu").unwrap().autodiff();
        let build = |init: &mut Init| EncoderConfig::default().build(init);
        let leader = build(&mut Init::new(1, &device));
        let follower = follower(&leader, &device, build);
        let images = Tensor::<4>::ones([2, 3, 16, 16], &device.inner());
        let features = follower.forward(images, Mode::Train);
        assert!(!features.is_autodiff());
        for ((_, own), (trained, leading)) in values(&follower).iter().zip(values(&leader)) {
            assert_eq!(*own == leading, trained);
        }
    }
}
