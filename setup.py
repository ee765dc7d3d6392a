"""What pyproject.toml cannot say: the models of Resources/Models go into the wheel, inside the library."""

from setuptools import find_namespace_packages, setup

setup(
    packages=[*find_namespace_packages(include=["TumorTwinLib*"]), "TumorTwinLib.Resources.Models"],
    package_dir={"TumorTwinLib.Resources.Models": "Resources/Models"},
)
