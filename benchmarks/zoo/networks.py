"""The networks of the zoo: torchvision's and timm's by name, and small ones of our own; how each is built.

Weights are seeded random numbers (no weight is downloaded), batch norms get random statistics, so that a wrong order of
channels shows, and parameters that start at zero become small numbers, so that nothing is multiplied away.
Imports no mobilekit: the peers build the same networks in their own environments.
"""

from __future__ import annotations

from typing import Any

# name -> side of the square input. torchvision's networks; weights=None.
TORCHVISION = {
    "alexnet": 224,
    "convnext_tiny": 224,
    "deeplabv3_mobilenet_v3_large": 224,
    "densenet121": 224,
    "efficientnet_b0": 224,
    "efficientnet_v2_s": 224,
    "fcn_resnet50": 160,
    "googlenet": 224,
    "inception_v3": 299,
    "lraspp_mobilenet_v3_large": 224,
    "maxvit_t": 224,
    "mnasnet1_0": 224,
    "mobilenet_v2": 224,
    "mobilenet_v3_large": 224,
    "mobilenet_v3_small": 224,
    "regnet_x_400mf": 224,
    "regnet_y_400mf": 224,
    "resnet18": 224,
    "resnet50": 224,
    "resnext50_32x4d": 224,
    "shufflenet_v2_x0_5": 224,
    "shufflenet_v2_x1_0": 224,
    "squeezenet1_1": 224,
    "swin_t": 224,
    "swin_v2_t": 256,
    "vgg11_bn": 96,
    "vit_b_32": 224,
}
# timm's; pretrained=False. 0: the model's own default size.
TIMM = {
    "coat_tiny": 0,
    "convnextv2_atto": 0,
    "cspdarknet53": 128,
    "deit_tiny_patch16_224": 0,
    "dla34": 128,
    "edgenext_xx_small": 0,
    "efficientformer_l1": 0,
    "efficientvit_b0": 0,
    "efficientvit_m0": 0,
    "fastvit_t8": 0,
    "ghostnet_100": 0,
    "hrnet_w18_small": 128,
    "lcnet_050": 0,
    "levit_128s": 0,
    "mixer_s32_224": 0,
    "mobilenetv4_conv_small": 0,
    "mobileone_s0": 0,
    "mobilevit_s": 0,
    "mobilevitv2_050": 0,
    "poolformer_s12": 0,
    "pvt_v2_b0": 0,
    "regnety_002": 0,
    "repghostnet_050": 0,
    "repvgg_a0": 0,
    "res2net50_14w_8s": 128,
    "resmlp_12_224": 0,
    "rexnet_100": 0,
    "seresnext26d_32x4d": 128,
    "skresnet18": 128,
    "starnet_s1": 0,
    "tf_efficientnet_lite0": 0,
    "tiny_vit_5m_224": 0,
    "tinynet_e": 0,
    "visformer_tiny": 0,
    "xcit_nano_12_p16_224": 0,
}


def _own() -> dict[str, Any]:
    from benchmarks.zoo import pictures, sequences, vision

    return {**pictures.MODELS, **vision.MODELS, **sequences.MODELS}


def names() -> dict[str, str]:
    """Every network of the zoo -> its family."""
    return (
        dict.fromkeys(_own(), "own")
        | dict.fromkeys(TORCHVISION, "torchvision")
        | {f"timm/{name}": "timm" for name in TIMM}
    )


def build(name: str) -> tuple[Any, tuple[Any, ...]]:
    """The network in eval mode, with seeded random weights and statistics, and one input."""
    import torch

    torch.manual_seed(0)
    own = _own()
    if name in own:
        model, inputs = own[name]()
    else:
        model, side = _library_model(name)
        inputs = (torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(1)),)
    generator = torch.Generator().manual_seed(2)
    for module in model.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm) and module.running_mean is not None:
            module.running_mean.uniform_(-0.3, 0.3, generator=generator)
            module.running_var.uniform_(0.5, 1.5, generator=generator)
    for parameter in model.parameters():
        # Heads that start at zero and layer scales of 1e-6 would hide whatever comes before them.
        if parameter.numel() and parameter.abs().max() < 1e-3:
            parameter.data.uniform_(-0.1, 0.1, generator=generator)
    return model.eval(), inputs


def _library_model(name: str) -> tuple[Any, int]:
    if name.startswith("timm/"):
        import timm

        model = timm.create_model(name.removeprefix("timm/"), pretrained=False)
        return model, TIMM[name.removeprefix("timm/")] or int(model.pretrained_cfg["input_size"][1])
    import torchvision

    if name in ("deeplabv3_mobilenet_v3_large", "fcn_resnet50", "lraspp_mobilenet_v3_large"):
        return torchvision.models.get_model(name, weights=None, weights_backbone=None), TORCHVISION[name]
    options = {"init_weights": True} if name in ("googlenet", "inception_v3") else {}
    if options:
        options["aux_logits"] = False
    return torchvision.models.get_model(name, weights=None, **options), TORCHVISION[name]
