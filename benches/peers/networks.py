"""The networks that ours are measured beside. ResNets are those for small images: a 3x3 stem without pooling, projected
shortcuts."""
from torch import nn


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        projects = stride != 1 or inputs != outputs
        self.down = (
            nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
            if projects
            else nn.Identity()
        )

    def forward(self, x):
        y = self.relu(self.bn1(self.conv1(x)))
        return self.relu(self.bn2(self.conv2(y)) + self.down(x))


def resnet(width, blocks, classes=10):
    """`classes` 0: without a classifier, to pooled features."""
    layers = [nn.Conv2d(3, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
    inputs = width
    for stage, count in enumerate(blocks):
        for block in range(count):
            outputs = width << stage
            layers.append(Block(inputs, outputs, 2 if block == 0 and stage > 0 else 1))
            inputs = outputs
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*layers, nn.Linear(inputs, classes)) if classes else nn.Sequential(*layers)


def make(name, size):
    """A classifier of 10 classes for images of `size` pixels."""
    import torchvision

    if name == "narrow":
        return resnet(16, [3, 3, 3])
    if name == "resnet18":
        return resnet(64, [2, 2, 2, 2])
    if name == "resnet50":
        model = torchvision.models.resnet50(num_classes=10)
        model.conv1, model.maxpool = nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.Identity()
        return model
    assert name == "vit_tiny", name
    return torchvision.models.VisionTransformer(
        image_size=size, patch_size=4, num_layers=12, num_heads=3, hidden_dim=192, mlp_dim=768, num_classes=10
    )
